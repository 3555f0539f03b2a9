// Takes seconds: plugins on the SDK, bundled and run as real processes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { RawPlugin } from '../support/raw-plugin.ts';

const folder = mkdtempSync(join(tmpdir(), 'mmm-sdk-'));
const file = join(folder, 'plugin.cjs');
const source = `
const early = console.log;
const stream = process.stdout;
import { definePlugin, runPlugin } from '@mmm/plugin-sdk';
console.log('print before run');
runPlugin(definePlugin({
  tools: {
    print: {
      execute() {
        console.log('print log'); console.info('print info'); console.debug('print debug');
        console.table([['print table']]);
        console.dir('print dir'); early('print early');
        process.stdout.write('print write\\n'); stream.write('print stream\\n');
        return 'printed';
      },
    },
    echo: { execute: (input) => input },
    reject_later: { execute() { Promise.reject(new Error('nobody caught me')); return 'never'; } },
    keep_busy: { execute() { setInterval(() => undefined, 1000); return 'busy'; } },
  },
  stop() { if (process.argv[2] === 'fail') throw new Error('stop went wrong'); },
}));
`;

before(() => bundlePlugin(source, file));
after(() => rmSync(folder, { recursive: true }));

function start(t: TestContext, ...args: string[]): RawPlugin {
  const plugin = new RawPlugin([process.execPath, file, ...args], folder);
  t.after(() => plugin.kill());
  return plugin;
}

describe('a plugin on the SDK', { timeout: 60_000 }, () => {
  it('may print in its handlers: prints go to stderr and the answer is alone on stdout', async (t) => {
    const plugin = start(t);
    // What is printed before runPlugin still reaches stdout, where the host takes it for a line of the log.
    const greeting = plugin.line();
    plugin.write('');
    assert.equal(await greeting, 'print before run');
    await plugin.initialize();
    assert.deepEqual((await plugin.execute(1, 'print', {})).result, { output: 'printed' });
    assert.deepEqual((await plugin.execute(2, 'echo', 'next')).result, { output: 'next' });
    await plugin.end();
    for (const print of ['log', 'info', 'debug', 'table', 'dir', 'early', 'write', 'stream']) {
      assert.match(plugin.stderr, new RegExp(`print ${print}`));
    }
  });
  it('answers in the framing of the host', async (t) => {
    const plugin = start(t);
    await plugin.line();
    const framed = (message: object): string => {
      const text = JSON.stringify(message);
      return `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    };
    const params = { protocol: { version: 1 } };
    plugin.write(framed({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
    const header = /^Content-Length: (\d+)\r?$/.exec(await plugin.line());
    assert.ok(header);
    assert.equal((await plugin.line()).trim(), '');
    const ended = plugin.end();
    const body = await plugin.line();
    assert.equal(Buffer.byteLength(body), Number(header[1]));
    assert.equal(JSON.parse(body).id, 1);
    assert.equal((await ended).code, 0);
  });
  it("carries messages larger than the host's default limit", async (t) => {
    const plugin = start(t);
    await plugin.line();
    await plugin.initialize();
    const text = 'ü'.repeat(6 * 1024 * 1024);
    assert.deepEqual((await plugin.execute(1, 'echo', text)).result, { output: text });
  });
  it('exits although it left a timer running', async (t) => {
    const plugin = start(t);
    await plugin.line();
    await plugin.initialize();
    await plugin.execute(1, 'keep_busy', {});
    assert.deepEqual(await plugin.end(), { code: 0, signal: null });
  });
  it('exits with 1 when stop throws, and says why', async (t) => {
    const plugin = start(t, 'fail');
    await plugin.line();
    await plugin.initialize();
    assert.equal((await plugin.end()).code, 1);
    assert.match(plugin.stderr, /stop went wrong/);
  });
  it('dies of an error nobody caught, with the stack on stderr', async (t) => {
    const plugin = start(t);
    await plugin.line();
    await plugin.initialize();
    await plugin.execute(1, 'reject_later', {});
    assert.equal((await plugin.end()).code, 1);
    assert.match(plugin.stderr, /nobody caught me/);
  });
});
