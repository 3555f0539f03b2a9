// Takes some seconds: mappings with real plugins that fail, flood, are away, or whose host is killed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createHost } from '@mmm/host';
import { hostLimits } from '../../packages/host/src/limits.ts';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';
import { LogLines } from '../support/log-lines.ts';

const trigger = '[[capabilities]]\nkind = "trigger"\nname = "tell"\n';
const teller: Fixture = { behaviour: 'tells-events', name: 'tells_events', more: trigger };
const called: Fixture = { behaviour: 'says-calls', name: 'says_calls' };

const said = (type: string, params: string, more = ''): string => `
[[global_mappings]]
name = "${type}"
trigger = { type = "${type}" }
action = { plugin = "says_calls", params = ${params} }
${more}`;

test(
  'a host that is killed in the middle loses no event, and the next one repeats none in the journal',
  confined,
  async (t) => {
    const settings = `
[[global_mappings]]
name = "told"
trigger = { plugin = "tells_events", config = { events = 60, page = 5 } }
action = { plugin = "says_calls", params = { text = "{{event.data.number}}" } }
`;
    const { host, home } = await fixtureHost(t, [teller, called], { settings });
    await host.close();
    const program = join(import.meta.dirname, '../support/mapping-host.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', program, home], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    let calls = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('says_calls called ')) calls += 1;
      if (calls === 7) child.kill('SIGKILL');
    }
    await exited;
    assert.ok(calls >= 7);
    const log = new LogLines();
    const next = await createHost({ home, onLog: log.onLog });
    t.after(() => next.close());
    await next.mappings.run();
    await log.matching('says_calls', /"text":60[,}]/);
    // What it wrote before it answered: its lines may have been lost with the host that read them.
    const written = readFileSync(join(home, 'data/says_calls/calls.jsonl'), 'utf8').trimEnd().split('\n');
    const numbers = written.map((line) => (JSON.parse(line) as { text: number }).text);
    const all = Array.from({ length: 60 }, (_, index) => index + 1);
    assert.deepEqual([...new Set(numbers)], all);
    const events = await next.events.list({ types: ['tells_events.told'], limit: 1000 });
    assert.equal(events.length, 60);
  },
);

test('an action that fails is tried again, and put by with its reason when it goes on failing', confined, async (t) => {
  const log = new LogLines();
  const settings =
    said('x.flaky', '{ text = "flaky", fails = 2 }') + said('x.broken', '{ text = "broken", fails = 99 }');
  const { host } = await fixtureHost(t, [called], { settings, onLog: log.onLog });
  await host.mappings.run();
  await host.emit('x.flaky');
  await log.matching('says_calls', /"flaky"/, 3);
  await host.emit('x.broken');
  await log.matching('says_calls', /"broken"/, hostLimits.eventTries);
  await host.events.deliver();
  const letters = await host.events.deadLetters('mapping:x.broken');
  assert.match(letters[0]?.error ?? '', /not yet 5/);
  assert.equal(letters[0]?.tries, hostLimits.eventTries);
  const report = await host.mappings.list();
  const [flaky, broken] = report.mappings;
  assert.deepEqual([flaky?.runs, flaky?.failures], [3, 2]);
  assert.match(broken?.lastError ?? '', /not yet 5/);
  assert.deepEqual(await host.events.deadLetters('mapping:x.flaky'), []);
  // Tried again by hand it fails again, and stays.
  assert.match((await host.events.retry(letters[0]?.id ?? 0)) ?? '', /not yet 6/);
});

test('what no try can mend is put by at once', confined, async (t) => {
  const settings = said('x.missing', '{ text = "{{event.data.name}}" }');
  const { host } = await fixtureHost(t, [called], { settings });
  await host.mappings.run();
  await host.emit('x.missing', { nam: 1 });
  await host.events.deliver();
  const [letter] = await host.events.deadLetters('mapping:x.missing');
  assert.equal(letter?.tries, 1);
  assert.match(letter?.error ?? '', /the event has no event\.data\.name/);
});

test('events wait for a plugin that is disabled, and no mapping waits for another', confined, async (t) => {
  const log = new LogLines();
  const other = { behaviour: 'says-calls', name: 'says_others' };
  const settings = said('x.one', '{ text = 1 }') + said('x.two', '{ text = 2 }').replace('says_calls', 'says_others');
  const { host } = await fixtureHost(t, [called, other], { settings, onLog: log.onLog });
  await host.mappings.run();
  await host.disable('says_calls');
  await host.emit('x.one');
  await host.emit('x.two');
  await log.matching('says_others', /^called /);
  assert.match((await host.mappings.list()).mappings[0]?.problems[0]?.message ?? '', /is disabled/);
  await host.enable('says_calls');
  await log.matching('says_calls', /^called /);
  assert.deepEqual(await host.events.deadLetters(), []);
});

test('a flood is taken as fast as is allowed, and everything else goes on', confined, async (t) => {
  const settings = `
[triggers.flood]
plugin = "tells_events"
config = { manner = "floods" }
${said('x.else', '{ text = "else" }')}`;
  const log = new LogLines();
  const { host } = await fixtureHost(t, [teller, called], { settings, onLog: log.onLog });
  const startedMs = Date.parse(new Date(performance.timeOrigin + performance.now()).toISOString());
  await host.mappings.run();
  for await (const { seq } of host.events.follow({ types: ['tells_events.told'], limit: 1 })) if (seq > 2500) break;
  await host.emit('x.else');
  await log.matching('says_calls', /"else"/);
  const { events } = await host.events.status();
  const elapsedMs = performance.timeOrigin + performance.now() - startedMs;
  const allowed = hostLimits.triggerBurst + (elapsedMs * hostLimits.triggerEventsPerSecond) / 1000;
  assert.ok(events <= allowed + 2 * hostLimits.pollEvents, `${events} events in ${elapsedMs} ms`);
});

test(
  'a mapping of a mode that is not in force does nothing, and what happened meanwhile is over',
  confined,
  async (t) => {
    const log = new LogLines();
    const settings = `
[[modes]]
name = "Quiet"
[[modes.mappings]]
name = "live"
trigger = { type = "x.live" }
action = { type = "ModeChange", mode = "Live" }

[[modes]]
name = "Live"
[[modes.mappings]]
trigger = { type = "x.go" }
action = { plugin = "says_calls", params = { text = "{{event.data}} in {{mode.name}}" } }
`;
    const { host, home } = await fixtureHost(t, [called], { settings, onLog: log.onLog });
    await host.mappings.run();
    await host.emit('x.go', 1);
    await host.events.deliver();
    await host.emit('x.live');
    await host.events.deliver();
    await host.emit('x.go', 2);
    assert.deepEqual(
      (await log.matching('says_calls', /^called /)).map((line) => /"text":"(.*?)"/.exec(line)?.[1]),
      ['2 in Live'],
    );
    await host.close();
    const next = await createHost({ home });
    t.after(() => next.close());
    assert.equal((await next.mappings.list()).modes.find(({ isCurrent }) => isCurrent)?.name, 'Live');
  },
);

test(
  'a file that was changed is in force for the next event, and a faulty one changes nothing',
  confined,
  async (t) => {
    const log = new LogLines();
    const settings = said('x.one', '{ text = "old" }');
    const { host, home } = await fixtureHost(t, [called], { settings, onLog: log.onLog });
    await host.mappings.run();
    const file = join(home, 'config.toml');
    writeFileSync(file, said('x.one', '{ text = "new" }') + said('x.two', '{ text = "two" }'));
    await host.reloadSettings();
    await host.mappings.list();
    for (const type of ['x.one', 'x.two']) await host.emit(type);
    await log.matching('says_calls', /"new"/);
    await log.matching('says_calls', /"two"/);
    writeFileSync(file, said('x.one', '{ text = "{{evnt}}" }'));
    await assert.rejects(host.reloadSettings(), /a path begins with event/);
    await host.emit('x.two');
    await log.matching('says_calls', /"two"/, 2);
  },
);
