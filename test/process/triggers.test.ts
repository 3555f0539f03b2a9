// Takes some seconds: each test runs a trigger plugin and a plugin that is called, as real processes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Host } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';
import { LogLines } from '../support/log-lines.ts';

const trigger = '[[capabilities]]\nkind = "trigger"\nname = "tell"\n';
const teller: Fixture = { behaviour: 'tells-events', name: 'tells_events', more: trigger };
const called: Fixture = { behaviour: 'says-calls', name: 'says_calls' };

/** A mapping of what the trigger tells, with this configuration, to the plugin that says its calls. */
function mapped(config: string, more = ''): string {
  return `
[[modes]]
name = "Default"

[[modes.mappings]]
name = "told"
trigger = { plugin = "tells_events", config = { ${config} } }
action = { plugin = "says_calls", params = { text = "{{event.data.number}}", whole = "{{event.data}}" } }
${more}`;
}

async function running(t: TestContext, settings: string): Promise<{ host: Host; log: LogLines; home: string }> {
  const log = new LogLines();
  const { host, home } = await fixtureHost(t, [teller, called], { settings, onLog: log.onLog });
  await host.mappings.run();
  return { host, log, home };
}

interface Called {
  readonly input: { readonly text: unknown; readonly whole: Record<string, unknown> };
  readonly caller: unknown;
  readonly trigger: { readonly event_id: string };
  readonly velocity: number;
  readonly mode: unknown;
}

async function calls(log: LogLines, count: number): Promise<Called[]> {
  const lines = await log.matching('says_calls', /^called /, count);
  return lines.map((line) => JSON.parse(line.slice('called '.length)) as Called);
}

test('an event of a trigger calls the action with its data and its circumstances', confined, async (t) => {
  const { host, log } = await running(t, mapped('events = 1'));
  const [call] = await calls(log, 1);
  const [instance] = (await host.mappings.list()).triggers;
  assert.deepEqual(call?.input, { text: 1, whole: { number: 1, velocity: 99 } });
  assert.deepEqual(call.caller, { kind: 'mapping', id: 'told' });
  assert.deepEqual(call.mode, { index: 0, name: 'Default' });
  assert.equal(call.velocity, 99);
  const [event] = await host.events.list({ types: ['tells_events.told'] });
  assert.deepEqual(call.trigger, { plugin: 'tells_events', instance: instance?.instance, event_id: event?.id });
  assert.equal(instance?.state, 'armed');
});

test(
  'a plugin that dies between its answer and the acknowledgement loses nothing and repeats nothing',
  confined,
  async (t) => {
    const { host, log } = await running(t, mapped('events = 3, manner = "dies_after_poll"'));
    await log.matching('tells_events', /^armed /, 2);
    await log.matching('tells_events', /^acknowledged 3/);
    const numbers = (await calls(log, 3)).map(({ input }) => input.text);
    assert.deepEqual(numbers, [1, 2, 3]);
    const events = await host.events.list({ types: ['tells_events.told'] });
    assert.equal(events.length, 3);
    assert.equal((await host.plugin('tells_events')).lastExit?.kind, 'signal');
  },
);

test('it is armed again after each start, and what it told meanwhile comes in order', confined, async (t) => {
  const { host, log } = await running(t, mapped('events = 1'));
  await calls(log, 1);
  const plugin = await host.plugin('tells_events');
  process.kill(plugin.pid ?? 0, 'SIGKILL');
  await log.matching('tells_events', /^armed /, 2);
  await plugin.execute('run', { tell: 2 });
  assert.deepEqual(
    (await calls(log, 3)).map(({ input }) => input.text),
    [1, 2, 3],
  );
});

for (const manner of ['garbage', 'long_cursor']) {
  test(
    `a plugin that answers polls with ${manner} is ended as one that does not keep to the protocol`,
    confined,
    async (t) => {
      const { log } = await running(t, mapped(`manner = "${manner}"`));
      const [ended = ''] = await log.matching('tells_events', /it answered 5 polls with something else than events/);
      assert.doesNotMatch(ended, /\.\.|\. during/);
      const [waits = ''] = await log.matching('tells_events', /^the triggers of tells_events wait: /);
      assert.match(waits, /[^.] during the call of /);
    },
  );
}

test(
  'events that were told already are dropped, and a plugin that forgets acknowledgements is asked less often',
  confined,
  async (t) => {
    const { host, log } = await running(t, mapped('events = 2, manner = "forgets_acks"'));
    await calls(log, 2);
    const plugin = await host.plugin('tells_events');
    await plugin.execute('run', { tell: 1 });
    const numbers = (await calls(log, 3)).map(({ input }) => input.text);
    assert.deepEqual(numbers, [1, 2, 3]);
    assert.equal((await host.events.list({ types: ['tells_events.told'] })).length, 3);
  },
);

test('a trigger that refuses its configuration is said to have failed, with its words', confined, async (t) => {
  const { host, log } = await running(t, mapped('manner = "refuses"'));
  await log.matching('tells_events', /was not armed as .*never heard of it/);
  const [state] = (await host.mappings.list()).triggers;
  assert.equal(state?.state, 'failed');
  assert.match(state.reason ?? '', /never heard of it/);
});

test(
  'a plugin with an armed trigger is not stopped for being idle, and stops at once when the host closes',
  confined,
  async (t) => {
    const settings = `${mapped('events = 1')}\n[supervision]\nidle_stop_s = 0.2\n`;
    const { host, log } = await running(t, settings);
    await calls(log, 1);
    // The plugin that is called is not armed: its end shows that the time of being idle has passed.
    await log.matching('says_calls', /^ended|was stopped|requested|stopped/);
    assert.equal((await host.plugin('tells_events')).state.kind, 'running');
    await host.close();
    assert.equal(
      log.lines.some(({ message }) => /SIGKILL/.test(message)),
      false,
    );
  },
);

test('what is disabled is disarmed, and armed again when it is enabled', confined, async (t) => {
  const { host, log } = await running(t, mapped('events = 1'));
  await calls(log, 1);
  await host.disable('tells_events');
  const [state] = (await host.mappings.list()).triggers;
  assert.notEqual(state?.state, 'armed');
  await host.enable('tells_events');
  await log.matching('tells_events', /^armed /, 2);
});

test('a mode that is put in force arms its triggers and disarms the others', confined, async (t) => {
  const { host, log } = await running(
    t,
    mapped(
      'events = 1',
      `
[[modes]]
name = "Quiet"
`,
    ),
  );
  await calls(log, 1);
  await host.mappings.setMode('Quiet');
  await log.matching('tells_events', /^disarmed /);
  await host.mappings.setMode('Default');
  await log.matching('tells_events', /^armed /, 2);
});

test(
  "events of types that are not the plugin's to tell, and too large ones, are dropped and the rest goes on",
  confined,
  async (t) => {
    const { log } = await running(t, mapped('events = 2, type = "plugin.started"'));
    await log.matching('tells_events', /was dropped: it has the type "plugin.started"/, 2);
    await log.matching('tells_events', /^acknowledged 2/);
  },
);

test('a plugin whose key is revoked is not armed again, and it is said why', confined, async (t) => {
  const { host, log } = await running(t, mapped('events = 1'));
  await calls(log, 1);
  await host.revokeKey('test', 'stolen');
  await log.matching('tells_events', /the triggers of tells_events wait: .*revoked/);
  const [state] = (await host.mappings.list()).triggers;
  assert.equal(state?.state, 'failed');
  assert.match(state.reason ?? '', /revoked/);
});
