// Takes seconds: each plugin is a real process, and two of them are bundled first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { RawPlugin } from '../support/raw-plugin.ts';

interface Shipped {
  readonly name: string;
  readonly tool: string;
  readonly command: readonly string[];
  readonly input: unknown;
  readonly output: unknown;
  readonly badInput: unknown;
  /** What the message of the refusal names. */
  readonly problem: RegExp;
}

const bundles = mkdtempSync(join(tmpdir(), 'mmm-shipped-'));
const plugins: readonly Shipped[] = [
  {
    name: 'calculator',
    tool: 'calculate',
    command: [process.execPath, join(bundles, 'calculator.cjs')],
    input: { expression: '2+2*3' },
    output: 8,
    badInput: { expression: '2+' },
    problem: /at position 3/,
  },
  {
    name: 'date',
    tool: 'add',
    command: [process.execPath, join(bundles, 'date.cjs')],
    input: { date: '2026-01-31', months: 1 },
    output: '2026-02-28',
    badInput: { date: 'tomorrow' },
    problem: /date: "tomorrow" is not a date/,
  },
  {
    name: 'text_statistics',
    tool: 'count',
    command: ['python3', 'main.py'],
    input: { text: 'To be, or not to be.\nÜber 😀', top: 1 },
    output: { characters: 27, words: 7, lines: 2, sentences: 1, frequent: [{ word: 'be', count: 2 }] },
    badInput: { text: 7 },
    problem: /text: .* must be a string/,
  },
  {
    name: 'roman',
    tool: 'roman',
    command: ['sh', 'main.sh'],
    input: { number: 1994 },
    output: 'MCMXCIV',
    badInput: { number: 4000 },
    problem: /number: .* from 1 to 3999/,
  },
];

const hasPython = spawnSync('python3', ['--version']).status === 0;

before(async () => {
  for (const name of ['calculator', 'date']) {
    await bundlePlugin(`plugins/${name}/src/main.ts`, join(bundles, `${name}.cjs`));
  }
});
after(() => rmSync(bundles, { recursive: true }));

for (const shipped of plugins) {
  const skip = shipped.command[0] === 'python3' && !hasPython && 'there is no python3 here';
  const start = (t: TestContext): RawPlugin => {
    const plugin = new RawPlugin(shipped.command, join(import.meta.dirname, '../../plugins', shipped.name));
    t.after(() => plugin.kill());
    return plugin;
  };

  describe(shipped.name, { skip, timeout: 60_000 }, () => {
    it('answers, shuts down when asked and exits with 0', async (t) => {
      const plugin = start(t);
      assert.equal((await plugin.initialize()).error, undefined);
      plugin.write('{"jsonrpc":"2.0","method":"initialized"}\n');
      assert.ok(await plugin.request(1, 'ping'));
      assert.deepEqual((await plugin.execute(2, shipped.tool, shipped.input)).result, { output: shipped.output });
      assert.deepEqual((await plugin.request(3, 'shutdown', { reason: 'test', grace_ms: 3000 })).result, {});
      assert.deepEqual(await plugin.end(), { code: 0, signal: null });
    });
    it('refuses a bad input with a sentence, and answers the next call', async (t) => {
      const plugin = start(t);
      await plugin.initialize();
      const { error } = await plugin.execute(1, shipped.tool, shipped.badInput);
      assert.equal(error?.code, -32602);
      assert.match(error.message, shipped.problem);
      assert.equal((error.data as { kind: string }).kind, 'invalid_params');
      assert.deepEqual((await plugin.execute(2, shipped.tool, shipped.input)).result, { output: shipped.output });
    });
    it('refuses unknown methods and capabilities', async (t) => {
      const plugin = start(t);
      await plugin.initialize();
      assert.equal((await plugin.request(1, 'no_such_method')).error?.code, -32601);
      assert.equal((await plugin.execute(2, 'no_such_tool', {})).error?.code, -32056);
    });
    it('gives back ids of both kinds as they came', async (t) => {
      const plugin = start(t);
      await plugin.initialize();
      for (const id of [0, 7, 9_007_199_254_740_991, 'seven', 'quote " and \\ and {"id":1}', 'ü 😀']) {
        assert.deepEqual((await plugin.execute(id, shipped.tool, shipped.input)).result, { output: shipped.output });
      }
    });
    it('goes on after lines that are no messages', async (t) => {
      const plugin = start(t);
      await plugin.initialize();
      plugin.write('hello\n\n42\nnull\n{"jsonrpc":"2.0","met\n{"jsonrpc":"2.0","method":"no_such_notification"}\r\n');
      assert.deepEqual((await plugin.execute(1, shipped.tool, shipped.input)).result, { output: shipped.output });
    });
    it('ends when stdin ends, whatever was said before', async (t) => {
      assert.deepEqual(await start(t).end(), { code: 0, signal: null });
    });
    it('answers what it got before stdin ended', async (t) => {
      const plugin = start(t);
      const greeting = plugin.initialize();
      const answer = greeting.then(() => plugin.line());
      const params = { capability: { kind: 'tool', name: shipped.tool }, input: shipped.input };
      plugin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 'last', method: 'execute', params })}\n`);
      const end = plugin.end();
      assert.deepEqual(JSON.parse(await answer), { jsonrpc: '2.0', id: 'last', result: { output: shipped.output } });
      assert.equal((await end).code, 0);
    });
  });
}
