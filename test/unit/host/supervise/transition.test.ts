import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, MmmError } from '@mmm/protocol';
import { type RestartPolicy, supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import type { Effect, PluginEvent, PluginState } from '../../../../packages/host/src/supervise/state.ts';
import { transition } from '../../../../packages/host/src/supervise/transition.ts';
import { FakeSession, manifestOf } from '../../../support/fake-session.ts';

const base = supervisionPolicyOf(manifestOf([])).restart;
const session = new FakeSession();
const stderrTail = '';
const reasons = {
  requested: { kind: 'requested' },
  clean: { kind: 'clean', stderrTail },
  exit: { kind: 'exit', code: 3, stderrTail },
  signal: { kind: 'signal', signal: 'SIGKILL', stderrTail },
  protocol: { kind: 'protocol', detail: 'garbage', stderrTail },
  unresponsive: { kind: 'unresponsive', detail: 'silence', stderrTail },
  sandbox: { kind: 'sandbox', detail: 'it could not be set up', stderrTail },
  start_timeout: { kind: 'start_timeout', timeoutMs: 10_000, stderrTail },
  memory: { kind: 'memory', detail: 'too much', stderrTail },
  cpu: { kind: 'cpu', detail: 'too much', stderrTail },
  processes: { kind: 'processes', detail: 'too many', stderrTail },
  disk: { kind: 'disk', detail: 'too much', stderrTail },
} as const satisfies Record<ExitReason['kind'], ExitReason>;

function exited(reason: ExitReason, wanted = false, served = true): PluginEvent {
  const cause = new MmmError('PLUGIN_EXITED', 'it ended', { plugin: 'p', reason });
  return { kind: 'exited', reason, cause, wanted, served };
}
function launchError(code: 'LAUNCH_FAILED' | 'CONSENT_REQUIRED' | 'DEPENDENCY_FAILED'): MmmError {
  if (code === 'DEPENDENCY_FAILED')
    return new MmmError(code, 'no', { plugin: 'p', dependency: 'd', cause: 'no', chain: ['p', 'd'] });
  return code === 'LAUNCH_FAILED'
    ? new MmmError(code, 'no', { plugin: 'p', stage: 'spawn', reason: 'no', stderrTail })
    : new MmmError(code, 'no', { plugin: 'p', permissions: [] });
}

const words: Record<string, PluginEvent> = {
  start: { kind: 'start' },
  'start!': { kind: 'start', atOnce: true },
  replace: { kind: 'replace', session: new FakeSession(), reason: 'reloaded' },
  stop: { kind: 'stop', reason: 'asked', inFlight: 0 },
  'stop!': { kind: 'stop', reason: 'asked', inFlight: 2 },
  reset: { kind: 'reset' },
  launched: { kind: 'launched', session },
  broken: { kind: 'launch_failed', error: launchError('LAUNCH_FAILED'), wanted: true },
  unwanted: { kind: 'launch_failed', error: launchError('LAUNCH_FAILED'), wanted: false },
  refused: { kind: 'launch_failed', error: launchError('CONSENT_REQUIRED'), wanted: true },
  unmet: { kind: 'launch_failed', error: launchError('DEPENDENCY_FAILED'), wanted: true },
  tick: { kind: 'tick' },
  unresponsive: { kind: 'unresponsive' },
  responsive: { kind: 'responsive' },
  hung: { kind: 'hung', detail: 'silence' },
  drained: { kind: 'drained' },
  requested: exited(reasons.requested),
  clean: exited(reasons.clean),
  exit: exited(reasons.exit),
  signal: exited(reasons.signal),
  'exit!': exited(reasons.exit, true),
  'clean!': exited(reasons.clean, true),
  'useless!': exited(reasons.clean, true, false),
};

/** Runs a script: events by their word, `+N` lets N milliseconds pass. Gives `state` or `state:effect` per event. */
function run(script: string, policy: Partial<RestartPolicy> = {}): { seen: string; state: PluginState; nowMs: number } {
  let state: PluginState = { kind: 'stopped', reason: 'new', crashes: [] };
  let nowMs = 1_000_000;
  const seen: string[] = [];
  for (const word of script.split(' ')) {
    if (word.startsWith('+')) {
      nowMs += Number(word.slice(1));
      continue;
    }
    const event = words[word];
    assert.ok(event !== undefined, `unknown word ${word}`);
    const [next, ...effects]: readonly [PluginState, ...Effect[]] = transition(
      state,
      event,
      { ...base, ...policy },
      nowMs,
      0.5,
    );
    seen.push([next.kind, ...effects.map(({ kind }) => kind)].join(':'));
    state = next;
  }
  return { seen: seen.join(' '), state, nowMs };
}
function check(script: string, expected: string, policy: Partial<RestartPolicy> = {}): void {
  assert.equal(run(script, policy).seen, expected, script);
}

test('A plugin starts, runs and stops', () => {
  check('start launched stop requested', 'starting:launch running stopping:stop stopped');
});

test('A first failed launch is shown and not retried; the next start tries once more', () => {
  check('start broken tick start launched', 'starting:launch failed failed starting:launch running');
});

test('A launch that was refused is shown also after a crash, because another try would be refused too', () => {
  check('start launched exit start refused', 'starting:launch running backoff starting:launch failed');
});

test('A crash without anybody waiting leaves the restart to the next call', () => {
  check('start launched exit tick start launched', 'starting:launch running backoff backoff starting:launch running');
});

test('A call during backoff is waited for and restarts the plugin when the backoff is over', () => {
  const crashTwice = 'start launched exit start launched signal';
  check(
    `${crashTwice} start tick +125 tick launched`,
    'starting:launch running backoff starting:launch running backoff backoff:wait_until ' +
      'backoff:wait_until starting:launch running',
  );
});

test('A plugin with policy always or marked important restarts with nobody waiting', () => {
  check('start launched exit tick', 'starting:launch running backoff:wait_until starting:launch', { kind: 'always' });
  check('start launched exit tick', 'starting:launch running backoff:wait_until starting:launch', { important: true });
  check('start launched exit', 'starting:launch running failed', { important: true, kind: 'never' });
});

test('A failed restart is retried as long as somebody waits', () => {
  check('start launched exit start broken', 'starting:launch running backoff starting:launch backoff:wait_until');
  check('start launched exit start unwanted', 'starting:launch running backoff starting:launch backoff');
});

function everyCrash(state: PluginState['kind']) {
  const kinds = Object.keys(reasons).filter((kind) => kind !== 'requested' && kind !== 'clean');
  type Crash = Exclude<ExitReason['kind'], 'requested' | 'clean'>;
  return Object.fromEntries(kinds.map((kind) => [kind, state])) as Record<Crash, PluginState['kind']>;
}

test('Every policy answers every end of a session', () => {
  const matrix: Record<RestartPolicy['kind'], Record<ExitReason['kind'], PluginState['kind']>> = {
    always: { requested: 'stopped', clean: 'backoff', ...everyCrash('backoff') },
    on_failure: { requested: 'stopped', clean: 'stopped', ...everyCrash('backoff') },
    never: { requested: 'stopped', clean: 'stopped', ...everyCrash('failed') },
  };
  for (const [kind, row] of Object.entries(matrix)) {
    for (const [reason, expected] of Object.entries(row)) {
      const { state } = run('start launched');
      const policy = { ...base, kind: kind as RestartPolicy['kind'] };
      const [next] = transition(state, exited(reasons[reason as ExitReason['kind']]), policy, 1_000_001, 0.5);
      assert.equal(next.kind, expected, `${kind} ${reason}`);
    }
  }
});

const crash = 'start launched exit';
const crashes = (times: number): string => Array.from({ length: times }, () => `${crash} +20000`).join(' ');

test('The fifth crash within three minutes quarantines', () => {
  assert.equal(run(crashes(4)).state.kind, 'backoff');
  const { state, nowMs } = run(`${crashes(4)} ${crash}`);
  assert.equal(state.kind, 'quarantined');
  assert.ok(state.kind === 'quarantined' && state.untilMs === nowMs + 300_000);
});

test('Crashes further apart than the window never quarantine', () => {
  const apart = Array.from({ length: 20 }, () => `${crash} +46000`).join(' ');
  assert.equal(run(apart).state.kind, 'backoff');
});

test('A minute of stable running forgets earlier crashes', () => {
  const { state } = run(`${crashes(4)} start launched +60000 exit`);
  assert.ok(state.kind === 'backoff' && state.crashes.length === 1);
});

test('A quarantined plugin refuses starts until its time, then gets one trial', () => {
  check('tick', 'stopped');
  const script = `${crashes(4)} ${crash}`;
  assert.equal(run(`${script} start`).state.kind, 'quarantined');
  assert.equal(run(`${script} +299999 start`).state.kind, 'quarantined');
  assert.equal(run(`${script} +300000 start`).state.kind, 'probing');
  assert.equal(run(`${script} +300000 tick`).state.kind, 'quarantined', 'nobody wants it');
  assert.equal(run(`${script} +300000 tick`, { kind: 'always' }).state.kind, 'probing');
});

test('A failed trial quarantines again, at the launch or before it is stable', () => {
  const script = `${crashes(4)} ${crash} +300000 start`;
  assert.equal(run(`${script} broken`).state.kind, 'quarantined');
  assert.equal(run(`${script} refused`).state.kind, 'failed');
  assert.equal(run(`${script} launched +59999 exit`).state.kind, 'quarantined');
  assert.equal(run(`${script} launched unresponsive responsive exit`).state.kind, 'quarantined');
  const { state } = run(`${script} launched +60000 exit`);
  assert.ok(state.kind === 'backoff' && state.crashes.length === 1);
});

test('Failed launches count too: starting one again and again ends in quarantine', () => {
  check(
    'start broken start broken start broken start broken start broken start',
    `${'starting:launch failed '.repeat(4)}starting:launch quarantined quarantined`,
  );
});

test('A reset forgets crashes, quarantine and failure', () => {
  assert.equal(run(`${crashes(4)} ${crash} reset start`).state.kind, 'starting');
  check('start broken reset', 'starting:launch failed stopped');
  check('start launched exit reset', 'starting:launch running backoff stopped');
  const wanted = run(`${crashes(2)} start launched exit start reset`);
  assert.equal(wanted.state.kind, 'starting', 'somebody waits for it');
  const { state } = run(`${crashes(2)} start launched reset`);
  assert.ok(state.kind === 'running' && state.crashes.length === 0);
});

test('A stop does not forget crashes, and the next start still counts them', () => {
  assert.equal(run(`${crashes(4)} stop start launched stop requested ${crash}`).state.kind, 'quarantined');
  const stable = run(`${crashes(4)} start launched +60000 stop requested start launched exit`).state;
  assert.ok(stable.kind === 'backoff' && stable.crashes.length === 1, 'a minute of stable running does');
});

test('A stop during the trial start leaves the quarantine in place', () => {
  const script = `${crashes(4)} ${crash} +300000 start stop`;
  assert.equal(run(`${script} broken`).state.kind, 'quarantined');
  assert.equal(run(`${script} start broken`).state.kind, 'probing', 'a start that came during the stop is a trial too');
  assert.equal(run(`${script} reset broken`).state.kind, 'stopped');
});

test('Without a window a plugin may crash for ever, and its wait stays at its longest', () => {
  const off = { crashesMax: Number.POSITIVE_INFINITY, backoffMinMs: 50, backoffMaxMs: 50 };
  const { state, nowMs } = run(Array.from({ length: 200 }, () => 'start launched exit! +100').join(' '), off);
  assert.ok(state.kind === 'backoff' && state.untilMs <= nowMs - 50 && state.crashes.length <= 32);
});

test('A crash while callers wait for another session is followed by a restart, with nobody asking again', () => {
  check('start launched exit! tick', 'starting:launch running backoff:wait_until starting:launch');
});

test('An end without a fault is followed by a start for those who wait, unless it could not be called at all', () => {
  check('start launched clean!', 'starting:launch running starting:launch');
  check('start launched useless!', 'starting:launch running failed');
});

test('A plugin whose dependency failed waits for it and is not blamed', () => {
  check('start unmet', 'starting:launch failed');
  const { state } = run('start launched exit start unmet tick unmet tick unmet tick unmet tick unmet tick unmet');
  assert.ok(state.kind === 'backoff' && state.crashes.length === 1);
});

test('A stop in each state leads to stopped', () => {
  check('start stop broken', 'starting:launch stopping:abort_launch stopped');
  check('start launched exit stop', 'starting:launch running backoff stopped');
  check('start launched unresponsive stop exit', 'starting:launch running degraded stopping:stop stopped');
});

test('A launch that was faster than its abort is stopped', () => {
  check('start stop launched requested', 'starting:launch stopping:abort_launch stopping:stop stopped');
});

test('A start during a stop is not lost, and a later stop takes it back', () => {
  check('start launched stop start requested', 'starting:launch running stopping:stop stopping starting:launch');
  check('start launched stop start stop requested', 'starting:launch running stopping:stop stopping stopping stopped');
  check('start stop start broken', 'starting:launch stopping:abort_launch stopping starting:launch');
});

test('A stop with calls in flight drains first, for a bounded time', () => {
  check('start launched stop! drained requested', 'starting:launch running draining:wait_until stopping:stop stopped');
  check(
    'start launched stop! +999 tick +1 tick',
    'starting:launch running draining:wait_until draining:wait_until stopping:stop',
  );
  check('start launched stop! exit', 'starting:launch running draining:wait_until stopped');
  check(
    'start launched stop! start drained requested',
    'starting:launch running draining:wait_until draining stopping:stop starting:launch',
  );
});

test('An unanswered ping degrades, an answer heals, and thirty seconds of silence kill', () => {
  check('start launched unresponsive responsive', 'starting:launch running degraded running');
  check('start launched unresponsive hung', 'starting:launch running degraded degraded:kill');
  check('start launched stop! hung', 'starting:launch running draining:wait_until stopping:kill');
});

test('A candidate takes the place of what runs, which is retired, and so does the next one', () => {
  check('start launched replace', 'starting:launch running running:retire');
  check(
    'start launched unresponsive replace replace',
    'starting:launch running degraded running:retire running:retire',
  );
});

test('A candidate is what runs after a crash, a failure, an end of the old one, and in its start', () => {
  check('start launched exit replace', 'starting:launch running backoff running');
  check('start launched clean replace', 'starting:launch running stopped running');
  check('start broken replace', 'starting:launch failed running');
  check('start replace launched', 'starting:launch running:abort_launch running:stop');
});

test('A candidate that comes while the plugin is being stopped is one too many', () => {
  check('start launched stop replace requested', 'starting:launch running stopping:stop stopping:stop stopped');
  check('start launched stop! replace', 'starting:launch running draining:wait_until draining:stop');
});

test('A candidate after a quarantine is on probation, as the trial start is', () => {
  const quarantined = run('start launched exit start launched exit', { crashesMax: 2 }).state;
  assert.equal(quarantined.kind, 'quarantined');
  const [next] = transition(quarantined, { kind: 'replace', session, reason: 'reloaded' }, base, 0, 0.5);
  assert.ok(next.kind === 'running' && next.probation);
});

test('A start by name waits neither for a backoff nor for a quarantine', () => {
  const crashTwice = 'start launched exit start launched exit';
  const seen = 'starting:launch running backoff starting:launch running';
  check(`${crashTwice} start!`, `${seen} backoff starting:launch`);
  check(`${crashTwice} start start! launched`, `${seen} quarantined quarantined probing:launch running`, {
    crashesMax: 2,
  });
});

test('A stale tick cannot cut a later backoff short', () => {
  const { state, nowMs } = run(`${crashes(2)} start launched exit start`);
  assert.ok(state.kind === 'backoff' && state.untilMs > nowMs);
  const [next] = transition(state, { kind: 'tick' }, base, nowMs, 0.5);
  assert.equal(next, state);
});

test('Every state answers every event and stays one of the ten states', () => {
  const scripts: Record<PluginState['kind'], string> = {
    stopped: 'tick',
    starting: 'start',
    running: 'start launched',
    degraded: 'start launched unresponsive',
    backoff: 'start launched exit',
    quarantined: `${crashes(4)} ${crash}`,
    probing: `${crashes(4)} ${crash} +300000 start`,
    draining: 'start launched stop!',
    stopping: 'start launched stop',
    failed: 'start broken',
  };
  const launching: string[] = ['starting', 'probing'];
  for (const [kind, script] of Object.entries(scripts)) {
    const { state, nowMs } = run(script);
    assert.equal(state.kind, kind);
    for (const [word, event] of Object.entries(words)) {
      for (const policy of ['always', 'on_failure', 'never'] as const) {
        const frozen = Object.freeze({ ...state });
        const [next, ...effects] = transition(frozen, event, { ...base, kind: policy }, nowMs + 1, 0.5);
        assert.ok(next.kind in scripts, `${kind} × ${word}`);
        const launches = effects.filter((effect) => effect.kind === 'launch').length;
        const starts = !launching.includes(kind) && launching.includes(next.kind);
        assert.equal(launches === 1, starts, `${kind} × ${word}`);
        if (event.kind === 'launched' && !launching.includes(kind)) {
          assert.ok(
            effects.some((effect) => effect.kind === 'stop'),
            `${kind}: at most one session exists`,
          );
        }
      }
    }
  }
});
