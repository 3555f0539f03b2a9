import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { loopLagMs, residentMb } from '../support/loop-lag.ts';

const flood = { timeout: 120_000, ...confined };

test('a stray print is a log line and costs no call', confined, async (t) => {
  const { host } = await fixtureHost(t, ['prints-to-stdout']);
  const plugin = await host.plugin('prints_to_stdout');
  for (const input of [1, 2, 3]) assert.equal((await plugin.execute('run', input)).output, input);
  const printed = (await host.logs('prints_to_stdout'))
    .filter(({ stream }) => stream === 'stdout')
    .map(({ message }) => message);
  assert.equal(printed[0], 'booting up');
  assert.equal(printed.filter((line) => line === '{ "almost": "json"').length, 3);
});

test('100 MB without a newline is cut, memory stays flat, and other plugins answer meanwhile', flood, async (t) => {
  const { host } = await fixtureHost(t, ['floods-without-newline', 'echo']);
  const [flooding, echo] = [await host.plugin('floods_without_newline'), await host.plugin('echo')];
  await Promise.all([flooding.start(), echo.start()]);
  const before = residentMb();
  let peak = before;
  let answered = 0;
  const lag = await loopLagMs(async () => {
    let over = false;
    const flooded = flooding.execute('run', {}).finally(() => {
      over = true;
    });
    while (!over) {
      assert.equal((await echo.execute('run', answered)).output, answered);
      answered += 1;
      peak = Math.max(peak, process.memoryUsage().rss / 1_048_576);
    }
    assert.equal((await flooded).output, 'flooded');
  });
  assert.ok(answered > 0, 'the other plugin answered while the flood lasted');
  assert.ok(peak - before < 40, `host memory grew by ${(peak - before).toFixed(0)} MB`);
  assert.ok(lag < 100, `the event loop was blocked for ${lag.toFixed(0)} ms`);
  const line = (await host.logs('floods_without_newline')).find(({ stream }) => stream === 'stdout');
  assert.match(line?.message ?? '', /^xxxx.*cut/);
});

test('an answer over the limit fails its own call only', flood, async (t) => {
  const { host } = await fixtureHost(t, ['huge-frame']);
  const plugin = await host.plugin('huge_frame');
  await plugin.start();
  const before = residentMb();
  await assert.rejects(plugin.execute('run', { as: 'answer' }), (error) => MmmError.is(error, 'MESSAGE_TOO_LARGE'));
  assert.ok(process.memoryUsage().rss / 1_048_576 - before < 40, 'host memory stays flat');
  assert.deepEqual((await plugin.execute('run', { still: 'here' })).output, { still: 'here' });
  assert.ok(
    (await host.logs('huge_frame')).some(
      ({ stream, message }) => stream === 'host' && /oversized_response/.test(message),
    ),
  );
});

test('a request over the limit is answered MessageTooLarge', flood, async (t) => {
  const { host } = await fixtureHost(t, ['huge-frame']);
  const plugin = await host.plugin('huge_frame');
  assert.equal((await plugin.execute('run', { as: 'request' })).output, -32054);
  assert.ok((await host.logs('huge_frame')).some(({ message }) => /oversized_request/.test(message)));
});

test('an input over the limit fails before it is sent', confined, async (t) => {
  const { host } = await fixtureHost(t, ['echo']);
  const plugin = await host.plugin('echo');
  await assert.rejects(plugin.execute('run', 'x'.repeat(9 * 1024 * 1024)), (error) =>
    MmmError.is(error, 'MESSAGE_TOO_LARGE'),
  );
  assert.equal((await plugin.execute('run', 'short')).output, 'short');
});

test('null, 42, [], bad UTF-8 and absurd depth are each named in the log', confined, async (t) => {
  const { host } = await fixtureHost(t, ['sends-no-objects']);
  const plugin = await host.plugin('sends_no_objects');
  assert.equal((await plugin.execute('run', 'x')).output, 'x');
  assert.equal((await plugin.execute('run', 'y')).output, 'y');
  const lines = (await host.logs('sends_no_objects')).map(({ stream, message }) => `${stream} ${message}`);
  for (const expected of [
    /stdout null/,
    /stdout 42/,
    /stdout "text"/,
    /batch/,
    /invalid_message/,
    /invalid_utf8/,
    /deep|depth|nest/,
  ]) {
    assert.ok(
      lines.some((line) => expected.test(line)),
      `${expected} is in the log:\n${lines.join('\n')}`,
    );
  }
});

test('unknown and repeated ids are dropped and named in the log', confined, async (t) => {
  const { host } = await fixtureHost(t, ['lies-in-ids']);
  const plugin = await host.plugin('lies_in_ids');
  for (const input of ['a', 'b']) assert.equal((await plugin.execute('run', input)).output, input);
  await plugin.stop();
  const lines = (await host.logs('lies_in_ids')).map(({ message }) => message);
  assert.equal(lines.filter((line) => line.startsWith('unknown_id')).length, 4);
  assert.equal(lines.filter((line) => line.startsWith('duplicate_reply')).length, 2);
});

test('half a message and silence costs its own call only', confined, async (t) => {
  const { host } = await fixtureHost(t, ['half-a-frame']);
  const plugin = await host.plugin('half_a_frame');
  await plugin.start();
  await assert.rejects(plugin.execute('run', { half: true }, { timeoutMs: 300 }), (error) =>
    MmmError.is(error, 'CALL_TIMEOUT'),
  );
  assert.deepEqual((await plugin.execute('run', { half: false })).output, { half: false });
  assert.ok((await host.logs('half_a_frame')).some(({ message }) => message.startsWith('{"jsonrpc":"2.0","id":')));
});

test('a plugin that never reads stdin gets a bounded queue', flood, async (t) => {
  const { host } = await fixtureHost(t, ['never-reads-stdin', 'echo']);
  const [deaf, echo] = [await host.plugin('never_reads_stdin'), await host.plugin('echo')];
  await Promise.all([deaf.start(), echo.start()]);
  const before = residentMb();
  const payload = 'x'.repeat(1024 * 1024);
  const calls = Array.from({ length: 100 }, () =>
    deaf.execute('run', payload, { timeoutMs: 1_000 }).then(
      () => 'answered',
      (error: unknown) => (error instanceof MmmError ? error.code : String(error)),
    ),
  );
  assert.equal((await echo.execute('run', 'meanwhile')).output, 'meanwhile');
  const outcomes = await Promise.all(calls);
  assert.deepEqual([...new Set(outcomes)].sort(), ['BUSY', 'CALL_TIMEOUT']);
  assert.ok(process.memoryUsage().rss / 1_048_576 - before < 100, 'what waits for the plugin is bounded');
  await deaf.stop();
});
