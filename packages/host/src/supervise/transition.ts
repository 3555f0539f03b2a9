import type { SessionEnd } from '../handshake/session.ts';
import { type RestartPolicy, restartsUnasked } from './policy.ts';
import { launchFailure, recoveryOf } from './recovery.ts';
import { backoffMs, shouldRestart, withCrash } from './restart.ts';
import type { AfterStop, DegradedState, Effect, PluginEvent, PluginState, RunningState } from './state.ts';

/** The next state and what to do about it. The same state object means that nothing changed. */
export type Step = readonly [PluginState, ...Effect[]];

interface Circumstances {
  readonly policy: RestartPolicy;
  readonly nowMs: number;
  /** 0 ≤ random < 1 */
  readonly random: number;
}
type StateOf<K extends PluginState['kind']> = Extract<PluginState, { kind: K }>;
type EventOf<K extends PluginEvent['kind']> = Extract<PluginEvent, { kind: K }>;
type Cell<S, E> = (state: S, event: E, now: Circumstances) => Step;
type Row<S> = { readonly [E in PluginEvent['kind']]: Cell<S, EventOf<E>> };
type Table = { readonly [S in PluginState['kind']]: Row<StateOf<S>> };

const stay = (state: PluginState): Step => [state];
/** A session nobody asked for: there is one at a time, so it goes at once. */
const stopExtra = (state: PluginState, { session }: EventOf<'launched'> | EventOf<'replace'>): Step => [
  state,
  { kind: 'stop', session, reason: 'another session is in its place' },
];
/** The cells of a state to which an event means nothing. */
const unmoved = {
  start: stay,
  stop: stay,
  reset: stay,
  launched: stopExtra,
  launch_failed: stay,
  exited: stay,
  tick: stay,
  unresponsive: stay,
  responsive: stay,
  hung: stay,
  drained: stay,
  replace: stopExtra,
};

const begin = (crashes: readonly number[], { nowMs }: Circumstances): Step => [
  { kind: 'starting', sinceMs: nowMs, first: true, crashes },
  { kind: 'launch' },
];
const stopped = (reason: string, crashes: readonly number[] = []): Step => [{ kind: 'stopped', reason, crashes }];

/** The whole behaviour of supervision. A cell that is missing does not compile. */
const table: Table = {
  stopped: {
    ...unmoved,
    start: ({ crashes }, _event, now) => begin(crashes, now),
    reset: (state) => (state.crashes.length === 0 ? [state] : [{ ...state, crashes: [] }]),
    replace: ({ crashes }, { session }, now) => running(session, crashes, false, now),
  },
  starting: {
    ...unmoved,
    stop: ({ crashes }, { reason }) => abortLaunch(reason, crashes, undefined),
    reset: (state) => [{ ...state, crashes: [] }],
    launched: ({ crashes }, { session }, now) => running(session, crashes, false, now),
    launch_failed: launchFailed,
    replace: ({ crashes }, { session }, now) => insteadOfLaunch(running(session, crashes, false, now)),
  },
  running: {
    ...unmoved,
    stop: stopLive,
    reset: (state) => [{ ...state, crashes: [], probation: false }],
    exited: sessionExited,
    unresponsive: (state, _event, now) => [{ ...state, kind: 'degraded', unresponsiveSinceMs: now.nowMs }],
    hung: killHung,
    replace: replaceLive,
  },
  degraded: {
    ...unmoved,
    stop: stopLive,
    reset: (state) => [{ ...state, crashes: [], probation: false }],
    exited: sessionExited,
    responsive: ({ sinceMs, session, crashes, probation }) => [
      { kind: 'running', sinceMs, session, crashes, probation },
    ],
    hung: killHung,
    replace: replaceLive,
  },
  backoff: {
    ...unmoved,
    start: startInBackoff,
    stop: ({ crashes }, { reason }) => stopped(reason, crashes),
    reset: (state, _event, now) => (state.wanted ? begin([], now) : stopped('its crashes were forgotten')),
    tick: (state, _event, now) => {
      if (!state.wanted) return [state];
      return now.nowMs < state.untilMs ? [state, { kind: 'wait_until', atMs: state.untilMs }] : restart(state, now);
    },
    replace: ({ crashes }, { session }, now) => running(session, crashes, false, now),
  },
  quarantined: {
    ...unmoved,
    start: (state, { atOnce }, now) => (now.nowMs < state.untilMs && atOnce !== true ? [state] : probe(state, now)),
    reset: () => stopped('its quarantine was lifted'),
    replace: (_state, { session }, now) => running(session, [], true, now),
    tick: (state, _event, now) => {
      if (!restartsUnasked(now.policy)) return [state];
      return now.nowMs < state.untilMs ? [state, { kind: 'wait_until', atMs: state.untilMs }] : probe(state, now);
    },
  },
  probing: {
    ...unmoved,
    stop: ({ untilMs, cause }, { reason }) => abortLaunch(reason, [], { untilMs, cause }),
    reset: (_state, _event, { nowMs }) => [{ kind: 'starting', sinceMs: nowMs, first: true, crashes: [] }],
    launched: (_state, { session }, now) => running(session, [], true, now),
    launch_failed: (_state, { error }, now) =>
      recoveryOf(launchFailure(error)) === 'none'
        ? [{ kind: 'failed', cause: error, crashes: [] }]
        : quarantine(error, now),
    replace: (_state, { session }, now) => insteadOfLaunch(running(session, [], true, now)),
  },
  draining: {
    ...unmoved,
    start: (state) => later(state, 'starting'),
    stop: (state) => later(state, 'stopped'),
    reset: (state) => [{ ...state, crashes: [] }],
    exited: (state, _event, now) => afterStop(state, now),
    tick: (state, _event, now) =>
      now.nowMs < state.untilMs ? [state, { kind: 'wait_until', atMs: state.untilMs }] : stopDrained(state),
    hung: (state, { detail }) => [
      stoppingOf(state),
      { kind: 'kill', session: state.session, cause: unresponsive(detail) },
    ],
    drained: stopDrained,
  },
  stopping: {
    ...unmoved,
    start: (state) => later(state, 'starting'),
    stop: (state) => later(state, 'stopped'),
    reset: (state) => [{ ...state, crashes: [], quarantine: undefined }],
    // The launch was faster than its abort.
    launched: (state, { session }) =>
      state.session === undefined
        ? [
            { ...state, session },
            { kind: 'stop', session, reason: state.reason },
          ]
        : stopExtra(state, { kind: 'launched', session }),
    launch_failed: (state, _event, now) => (state.session === undefined ? afterStop(state, now) : [state]),
    exited: (state, _event, now) => afterStop(state, now),
  },
  failed: {
    ...unmoved,
    start: ({ crashes }, _event, now) => begin(crashes, now),
    reset: () => stopped('its failure was forgotten'),
    replace: ({ crashes }, { session }, now) => running(session, crashes, false, now),
  },
};

/**
 * What an event makes of a state. Pure: the time and the randomness are parameters, and nothing is done here. Every
 * state answers every event.
 */
export function transition(
  state: PluginState,
  event: PluginEvent,
  policy: RestartPolicy,
  nowMs: number,
  random: number,
): Step {
  // The table's type says that this cell takes exactly this state and this event; the compiler cannot follow both.
  const cell = table[state.kind][event.kind] as Cell<PluginState, PluginEvent>;
  return cell(state, event, { policy, nowMs, random });
}

function running(
  session: RunningState['session'],
  crashes: readonly number[],
  probation: boolean,
  { nowMs }: Circumstances,
): Step {
  return [{ kind: 'running', sinceMs: nowMs, session, crashes, probation }];
}

function abortLaunch(reason: string, crashes: readonly number[], quarantined: StateOf<'stopping'>['quarantine']): Step {
  return [
    { kind: 'stopping', session: undefined, reason, next: 'stopped', crashes, quarantine: quarantined },
    { kind: 'abort_launch' },
  ];
}

function stopLive(state: RunningState | DegradedState, event: EventOf<'stop'>, now: Circumstances): Step {
  const { session } = state;
  const { reason } = event;
  const untilMs = now.nowMs + (event.drainMs ?? now.policy.drainMs);
  const crashes = isStable(state, now) ? [] : state.crashes;
  const draining: StateOf<'draining'> = { kind: 'draining', session, untilMs, reason, next: 'stopped', crashes };
  return event.inFlight === 0 ? stopDrained(draining) : [draining, { kind: 'wait_until', atMs: untilMs }];
}

/** Those who call from now on get the new session; those who wait for an answer of the old one still get it. */
function replaceLive(state: RunningState | DegradedState, event: EventOf<'replace'>, now: Circumstances): Step {
  const { session, reason } = event;
  const crashes = isStable(state, now) ? [] : state.crashes;
  const [next] = running(session, crashes, state.probation, now);
  return [next, { kind: 'retire', session: state.session, reason }];
}

/** Should the launch be faster than its abort, its session is one too many. */
function insteadOfLaunch([next]: Step): Step {
  return [next, { kind: 'abort_launch' }];
}

function stopDrained(state: StateOf<'draining'>): Step {
  return [stoppingOf(state), { kind: 'stop', session: state.session, reason: state.reason }];
}

function stoppingOf({ session, reason, next, crashes }: StateOf<'draining'>): StateOf<'stopping'> {
  return { kind: 'stopping', session, reason, next, crashes, quarantine: undefined };
}

function later(state: StateOf<'draining'> | StateOf<'stopping'>, next: AfterStop): Step {
  return state.next === next ? [state] : [{ ...state, next }];
}

function afterStop(state: StateOf<'draining'> | StateOf<'stopping'>, now: Circumstances): Step {
  const kept = state.kind === 'stopping' ? state.quarantine : undefined;
  if (kept !== undefined) return state.next === 'starting' ? probe(kept, now) : [{ kind: 'quarantined', ...kept }];
  return state.next === 'starting' ? begin(state.crashes, now) : stopped(state.reason, state.crashes);
}

function isStable({ sinceMs }: RunningState | DegradedState, { nowMs, policy }: Circumstances): boolean {
  return nowMs - sinceMs >= policy.stableAfterMs;
}

const unresponsive = (detail: string): SessionEnd => ({ kind: 'unresponsive', detail });

/** Stays degraded until the exit comes: it is that exit which counts as a crash. */
function killHung(state: RunningState | DegradedState, event: EventOf<'hung'>, now: Circumstances): Step {
  const degraded: DegradedState =
    state.kind === 'degraded' ? state : { ...state, kind: 'degraded', unresponsiveSinceMs: now.nowMs };
  return [degraded, { kind: 'kill', session: state.session, cause: unresponsive(event.detail) }];
}

function sessionExited(state: RunningState | DegradedState, event: EventOf<'exited'>, now: Circumstances): Step {
  const { reason, cause, wanted, served } = event;
  const stable = isStable(state, now);
  const before = stable ? [] : state.crashes;
  if (reason.kind === 'requested') return wanted ? begin(before, now) : stopped('it was stopped', before);
  // One that ends each time before it can be called would be started without end for those who wait.
  const isDone = reason.kind === 'clean' && now.policy.kind !== 'always' && (served || !wanted);
  if (isDone) return wanted ? begin(before, now) : stopped('it ended by itself', before);
  const crashes = withCrash(before, now.nowMs, now.policy);
  if (crashes.length >= now.policy.crashesMax || (state.probation && !stable && isQuarantining(now.policy))) {
    return quarantine(cause, now);
  }
  if (!shouldRestart(now.policy.kind, reason)) return [{ kind: 'failed', cause, crashes }];
  return backOff(cause, crashes, wanted || restartsUnasked(now.policy), now);
}

const isQuarantining = ({ crashesMax }: RestartPolicy): boolean => Number.isFinite(crashesMax);

/** A first launch that fails is shown and not tried again by itself, whatever the reason. */
function launchFailed(state: StateOf<'starting'>, event: EventOf<'launch_failed'>, now: Circumstances): Step {
  const { error } = event;
  const recovery = recoveryOf(launchFailure(error));
  const crashes = recovery === 'restart' ? withCrash(state.crashes, now.nowMs, now.policy) : state.crashes;
  if (recovery === 'restart' && crashes.length >= now.policy.crashesMax) return quarantine(error, now);
  if (state.first || recovery === 'none') return [{ kind: 'failed', cause: error, crashes }];
  return backOff(error, crashes, event.wanted || restartsUnasked(now.policy), now);
}

function backOff(
  cause: StateOf<'backoff'>['cause'],
  crashes: readonly number[],
  wanted: boolean,
  now: Circumstances,
): Step {
  const untilMs = now.nowMs + backoffMs(crashes.length, now.policy, now.random);
  const state: PluginState = { kind: 'backoff', untilMs, cause, wanted, crashes };
  return wanted ? [state, { kind: 'wait_until', atMs: untilMs }] : [state];
}

function startInBackoff(state: StateOf<'backoff'>, { atOnce }: EventOf<'start'>, now: Circumstances): Step {
  if (now.nowMs >= state.untilMs || atOnce === true) return restart(state, now);
  return state.wanted
    ? [state]
    : [
        { ...state, wanted: true },
        { kind: 'wait_until', atMs: state.untilMs },
      ];
}

function restart({ crashes }: StateOf<'backoff'>, { nowMs }: Circumstances): Step {
  return [{ kind: 'starting', sinceMs: nowMs, first: false, crashes }, { kind: 'launch' }];
}

function quarantine(cause: StateOf<'quarantined'>['cause'], now: Circumstances): Step {
  const untilMs = now.nowMs + now.policy.quarantineMs;
  const state: PluginState = { kind: 'quarantined', untilMs, cause };
  return restartsUnasked(now.policy) ? [state, { kind: 'wait_until', atMs: untilMs }] : [state];
}

function probe({ untilMs, cause }: Omit<StateOf<'quarantined'>, 'kind'>, { nowMs }: Circumstances): Step {
  return [{ kind: 'probing', sinceMs: nowMs, untilMs, cause }, { kind: 'launch' }];
}
