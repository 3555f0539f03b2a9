import { type ExitReason, MmmError } from '@mmm/protocol';
import type { Clock, Timer } from '@mmm/rpc';
import { exitError } from '../display/exit-error.ts';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { CrashMemory } from '../store/crash-memory.ts';
import { IdleWatch } from './idle.ts';
import { Liveness } from './liveness.ts';
import type { SupervisionPolicy } from './policy.ts';
import { exitOfLaunch } from './recovery.ts';
import { recordOf, stateOf } from './remembered.ts';
import { type Spare, Spares, type SparesOptions } from './spares.ts';
import type { Effect, PluginEvent, PluginState } from './state.ts';
import { StateFeed } from './state-feed.ts';
import { transition } from './transition.ts';
import { type SessionWait, SessionWaiters } from './waiters.ts';

export interface SupervisorOptions {
  readonly plugin: string;
  readonly policy: SupervisionPolicy;
  /**
   * Starts one session. Must settle, within its own deadline, and soon after the signal aborts. Its MmmError becomes
   * the error of everybody who waits. `takeSpare` gives a session that was kept ready, if there is one still fit.
   */
  launch(signal: AbortSignal, takeSpare: TakeSpare): Promise<Session>;
  /** Starts a process to keep ready, when the policy wants one. Without it there is none. */
  prepare?(signal: AbortSignal): Promise<Spare>;
  /** Others count on it: it is not stopped for being idle. */
  isNeeded?(): boolean;
  /** What outlives the host of its crashes. Without it nothing does. */
  readonly memory?: CrashMemory;
  readonly clock: Clock;
  /** 0 ≤ x < 1 */
  random(): number;
  /** Told of every change, of every session and of its end. What these throw is dropped: supervision goes on. */
  onChange?(state: PluginState): void;
  onLaunched?(session: Session): void;
  /** Also for a launch that failed after a process was started. */
  onExit?(reason: ExitReason): void;
  /** A line for the log. */
  note?(level: 'info' | 'warn', message: string): void;
}

export type TakeSpare = (signal: AbortSignal) => Promise<Session | undefined>;

/**
 * Keeps one plugin running as its policy says. The only writer of its state and the only runner of effects: events are
 * queued, each goes through `transition`, and what the effects lead to comes back as further events. A plugin is
 * started by the first `session()`, never before.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #waiters: SessionWaiters;
  readonly #feed = new StateFeed<PluginState>();
  readonly #events: PluginEvent[] = [];
  readonly #spares: Spares | undefined;
  #state: PluginState;
  #working = false;
  #closed = false;
  #launch: AbortController | undefined;
  #wake: Timer | undefined;
  #liveness: Liveness | undefined;
  #idle: IdleWatch | undefined;
  /** Somebody was given the session in use. */
  #served = false;
  /** Nothing is remembered any more. */
  #forgetful = false;
  /** What the memory holds, as text. */
  #remembered: string | undefined;
  /** Told when no session is being stopped any more. */
  #stopWaiters: (() => void)[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#waiters = new SessionWaiters(options.plugin, options.clock);
    const { policy, clock, prepare, memory } = options;
    if (prepare !== undefined && policy.standby !== 'off') {
      const note: SparesOptions['note'] = (level, message) => tell(() => options.note?.(level, message));
      this.#spares = new Spares({ clock, note, prepare: (signal) => prepare(signal) });
    }
    const record = memory?.read();
    this.#remembered = JSON.stringify(record);
    this.#state = stateOf(record, policy.restart, clock.now());
    if (this.#state.kind !== 'quarantined') this.#spares?.want(0);
  }

  get state(): PluginState {
    return this.#state;
  }

  /**
   * A session to call, started if there is none. Waits while the plugin starts, stops or is in backoff. Always settles:
   * rejects with the launch's own error when it failed; with PLUGIN_UNAVAILABLE while quarantined, when it was stopped
   * meanwhile, after `deadlineMs`, or at once in backoff with `failFast`; with the signal's reason when that aborts;
   * with BUSY when too many wait; with HOST_CLOSED after `close`. A failed plugin is not retried by itself, but each
   * new call of this tries once more.
   */
  session(wait: SessionWait = {}): Promise<Session> {
    if (this.#closed) return Promise.reject(hostClosed());
    if (wait.signal?.aborted) return Promise.reject(wait.signal.reason);
    const { state } = this;
    if (state.kind === 'running' || state.kind === 'degraded') {
      this.#idle?.used();
      // Its end is known to the pipe before it is known to us. Nothing sent now could arrive, and what was not sent
      // belongs to the next session.
      if (state.session.connection.isClosed) return this.#waiters.add(wait, () => this.#state);
      this.#served = true;
      this.#liveness?.watch();
      return Promise.resolve(state.session);
    }
    if (state.kind === 'quarantined' && this.#wasLifted()) this.#send({ kind: 'reset' });
    const session = this.#waiters.add(wait, () => this.#state);
    this.#send({ kind: 'start' });
    return session;
  }

  /** A call has ended. */
  used(): void {
    this.#idle?.used();
  }

  /** Ends what is kept ready: it was made for other circumstances. Resolves when its process is gone. */
  async dropSpares(reason: string): Promise<void> {
    await this.#spares?.drop(reason);
    if (this.#state.kind === 'running') this.#wantSpare();
  }

  /**
   * Gives calls in flight a bounded time, then stops the session. Ends what is kept ready, too. Resolves when no
   * process of it is left.
   */
  async stop(reason: string): Promise<void> {
    await Promise.all([this.#stopSession(reason), this.#spares?.drop(reason)]);
  }

  async #stopSession(reason: string): Promise<void> {
    const { state } = this;
    const live = state.kind === 'running' || state.kind === 'degraded';
    this.#send({ kind: 'stop', reason, inFlight: live ? state.session.connection.inFlight : 0 });
    if (!this.#isStopping()) return;
    await new Promise<void>((resolve) => {
      this.#stopWaiters.push(resolve);
    });
  }

  /** Stops it for good: no later `session()` starts it again. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    this.#waiters.rejectAll(hostClosed());
    // A backoff goes on without this host; its end here must not end it for the next one.
    this.#forgetful = this.#state.kind === 'backoff';
    await Promise.all([this.#stopSession(reason), this.#spares?.close(reason)]);
  }

  /** Forgets crashes, quarantine and failure. A plugin that is running stays running. */
  reset(): void {
    this.#send({ kind: 'reset' });
  }

  /** Every state from now on, until the signal aborts. A slow reader misses the oldest ones, never the newest. */
  changes(signal: AbortSignal): AsyncIterable<PluginState> {
    return this.#feed.read(signal);
  }

  #send(event: PluginEvent): void {
    this.#events.push(event);
    // An effect that fails at once sends from within this loop; its event then has its turn after the current one.
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        this.#handle(next);
        // Also when nothing changed: who came while it is quarantined is told so. Not while a start is still queued.
        if (this.#events.length === 0) this.#waiters.settle(this.#state);
      }
    } finally {
      this.#working = false;
    }
  }

  #handle(event: PluginEvent): void {
    const { policy, clock, random } = this.#options;
    // A wall clock that was set back must not make a moment that has come come again.
    const nowMs = event.kind === 'tick' ? Math.max(clock.now(), this.#awaitedMs()) : clock.now();
    const before = this.#state;
    const [state, ...effects] = transition(before, event, policy.restart, nowMs, random());
    if (state !== before) this.#enter(state, before);
    for (const effect of effects) this.#run(effect);
  }

  #enter(state: PluginState, before: PluginState): void {
    this.#state = state;
    if (!('untilMs' in state)) {
      this.#wake?.cancel();
      this.#wake = undefined;
    }
    const session = sessionOf(state);
    if (session !== sessionOf(before)) {
      this.#served = session !== undefined && this.#waiters.size > 0 && !session.connection.isClosed;
      this.#liveness?.end();
      this.#liveness = session === undefined ? undefined : this.#watch(session);
    }
    this.#watchIdle(state, session);
    this.#keepReady(state);
    this.#remember(state);
    if (state.kind === 'draining' && before.kind !== 'draining') this.#watchDrain(state.session);
    // First, so that nobody who comes because of the news is settled with the old.
    this.#waiters.settle(state);
    tell(() => this.#options.onChange?.(state));
    this.#feed.publish(state);
    // Those who wait are about to call.
    if (state.kind === 'running') this.#liveness?.watch();
    if (this.#isStopping()) return;
    for (const resolve of this.#stopWaiters.splice(0)) resolve();
  }

  #run(effect: Effect): void {
    switch (effect.kind) {
      case 'launch':
        void this.#runLaunch();
        return;
      case 'abort_launch':
        this.#launch?.abort(new Error('the plugin is being stopped'));
        return;
      case 'wait_until':
        this.#wake?.cancel();
        this.#wake = undefined;
        // A timer of no time would still cost a millisecond between a crash and the next answer.
        if (effect.atMs <= this.#options.clock.now()) {
          this.#send({ kind: 'tick' });
          return;
        }
        this.#wake = this.#options.clock.after(effect.atMs - this.#options.clock.now(), () =>
          this.#send({ kind: 'tick' }),
        );
        // Nobody waits for the end of a quarantine; it must not keep a program from ending.
        if (this.#state.kind === 'quarantined') this.#wake.unref();
        return;
      case 'stop':
        effect.session.stop(effect.reason).catch((error: unknown) => {
          effect.session.kill({ kind: 'requested', detail: `its stop failed: ${String(error)}` });
        });
        return;
      case 'kill':
        effect.session.kill(effect.cause);
        return;
    }
  }

  async #runLaunch(): Promise<void> {
    const { launch, onLaunched, plugin } = this.#options;
    const abort = new AbortController();
    this.#launch = abort;
    let session: Session;
    try {
      session = await launch(abort.signal, async (signal) => await this.#spares?.take(signal));
    } catch (thrown) {
      const error = asMmmError(thrown, plugin);
      const exit = abort.signal.aborted ? undefined : exitOfLaunch(error);
      if (exit !== undefined) tell(() => this.#options.onExit?.(exit));
      this.#send({ kind: 'launch_failed', error, wanted: this.#waiters.size > 0 });
      return;
    }
    tell(() => onLaunched?.(session));
    this.#send({ kind: 'launched', session });
    const reason = await session.exited;
    tell(() => this.#options.onExit?.(reason));
    // Of a session that was turned away at once nothing is in the state.
    if (sessionOf(this.#state) !== session) return;
    const wanted = this.#waiters.size > 0;
    this.#send({ kind: 'exited', reason, cause: exitError(plugin, reason), wanted, served: this.#served });
  }

  /** From the first moment of a session to its end. */
  #watchIdle(state: PluginState, session: Session | undefined): void {
    if (state.kind !== 'running' && state.kind !== 'degraded') {
      this.#idle?.end();
      this.#idle = undefined;
      return;
    }
    const { clock, policy } = this.#options;
    this.#idle ??= new IdleWatch({
      clock,
      idleMs: policy.idleStopMs,
      isBusy: () => (session?.connection.inFlight ?? 0) > 0 || this.#options.isNeeded?.() === true,
      onIdle: () => void this.#stopSession(`it was not called for ${policy.idleStopMs / 1000} s`),
    });
  }

  /** A spare is for a plugin that works; one that nobody may start gets none. */
  #keepReady(state: PluginState): void {
    if (state.kind === 'running') this.#wantSpare();
    else if (state.kind === 'quarantined' || state.kind === 'failed') void this.#spares?.drop('the plugin failed');
    else if (state.kind !== 'degraded') this.#spares?.pause();
  }

  #wantSpare(): void {
    const { state } = this;
    if (!this.#closed && state.kind === 'running') this.#spares?.want(state.crashes.length);
  }

  #remember(state: PluginState): void {
    const { memory } = this.#options;
    if (memory === undefined || this.#forgetful) return;
    const record = recordOf(state);
    const text = JSON.stringify(record);
    if (text === this.#remembered) return;
    this.#remembered = text;
    tell(() => memory.write(record));
  }

  /** Another process of this user may have lifted the quarantine. */
  #wasLifted(): boolean {
    const { memory } = this.#options;
    try {
      return memory !== undefined && memory.read()?.state !== 'quarantined';
    } catch {
      return false;
    }
  }

  #watch(session: Session): Liveness {
    const { liveness: policy } = this.#options.policy;
    const detail = `it did not answer a ping for ${policy.unresponsiveAfterMs / 1000} s during a call`;
    return new Liveness({
      session,
      policy,
      clock: this.#options.clock,
      report: (kind) => this.#send(kind === 'hung' ? { kind, detail } : { kind }),
    });
  }

  #watchDrain(session: Session): void {
    this.#options.clock.after(hostLimits.drainPollMs, () => {
      if (this.#state.kind !== 'draining' || this.#state.session !== session) return;
      if (session.connection.inFlight === 0) this.#send({ kind: 'drained' });
      else this.#watchDrain(session);
    });
  }

  #awaitedMs(): number {
    return 'untilMs' in this.#state ? this.#state.untilMs : 0;
  }

  #isStopping(): boolean {
    return this.#state.kind === 'draining' || this.#state.kind === 'stopping';
  }
}

function sessionOf(state: PluginState): Session | undefined {
  return 'session' in state ? state.session : undefined;
}

function hostClosed(): MmmError<'HOST_CLOSED'> {
  return new MmmError('HOST_CLOSED', 'The host was closed; create a new one to call plugins again.', {});
}

function asMmmError(error: unknown, plugin: string): MmmError {
  if (error instanceof MmmError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new MmmError(
    'INTERNAL',
    `${plugin} could not be started because mmm itself failed: ${detail}`,
    { detail },
    {
      cause: error,
    },
  );
}

/** Runs an observer. Its failure is its own: the plugin must still be supervised. */
function tell(observer: () => void): void {
  try {
    observer();
  } catch {
    // Nothing to do: there is nobody to tell.
  }
}
