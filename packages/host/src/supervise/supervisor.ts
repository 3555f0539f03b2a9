import type { ExitReason } from '@mmm/protocol';
import type { Clock, Timer } from '@mmm/rpc';
import { exitError } from '../display/exit-error.ts';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { CrashMemory } from '../store/crash-memory.ts';
import { IdleWatch } from './idle.ts';
import { asMmmError, hostClosed } from './launch-error.ts';
import { Liveness } from './liveness.ts';
import { tell } from './observer.ts';
import { exitOfLaunch } from './recovery.ts';
import { StateMemory } from './remembered.ts';
import {
  type Blueprint,
  type ReplacedPlugin,
  Replacement,
  type ReplaceOptions,
  type ReplaceOutcome,
} from './replacement.ts';
import { RetiredSessions } from './retired.ts';
import { type Spares, type SparesOptions, sparesOf } from './spares.ts';
import type { Effect, PluginEvent, PluginState } from './state.ts';
import { StateFeed } from './state-feed.ts';
import { transition } from './transition.ts';
import { type SessionWait, SessionWaiters } from './waiters.ts';

export interface SupervisorOptions extends Blueprint {
  readonly plugin: string;
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
  /**
   * Also for a launch that failed after a process was started. `inUse`: false for one that was replaced before, or
   * never called.
   */
  onExit?(reason: ExitReason, inUse: boolean): void;
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
  readonly #memory: StateMemory;
  readonly #retired: RetiredSessions;
  readonly #replacement: Replacement;
  #blueprint: Blueprint;
  #spares: Spares | undefined;
  #state: PluginState;
  #working = false;
  #closed = false;
  #launch: AbortController | undefined;
  #wake: Timer | undefined;
  #liveness: Liveness | undefined;
  #idle: IdleWatch | undefined;
  /** Somebody was given the session in use. */
  #served = false;
  /** Told when no session is being stopped any more. */
  #stopWaiters: (() => void)[] = [];
  #changeWaiters: (() => void)[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#waiters = new SessionWaiters(options.plugin, options.clock);
    const { policy, clock } = options;
    this.#blueprint = options;
    this.#retired = new RetiredSessions(clock);
    this.#replacement = new Replacement(this.#replaced());
    this.#spares = this.#sparesOf(options);
    this.#memory = new StateMemory(options.memory);
    this.#state = this.#memory.begin(policy.restart, clock.now());
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
    if (state.kind === 'quarantined' && this.#memory.wasLifted()) this.#send({ kind: 'reset' });
    const session = this.#waiters.add(wait, () => this.#state);
    this.#send({ kind: 'start' });
    return session;
  }

  /** A call has ended. */
  used(): void {
    this.#idle?.used();
  }

  /**
   * Puts another session in the place of the one in use, see `Replacement`; one after the other. Rejects with why it
   * could not, and everything is as before.
   */
  replace(next: Blueprint, options: ReplaceOptions): Promise<ReplaceOutcome> {
    return this.#closed ? Promise.reject(hostClosed()) : this.#replacement.replace(next, options);
  }

  /** The sessions that were replaced and still work on calls. */
  get retired(): readonly Session[] {
    return this.#retired.sessions;
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
    const calledOff = this.#replacement.callOff();
    const others = [this.#spares?.drop(reason), this.#retired.stop(reason)];
    await Promise.all([calledOff, this.#stopSession(reason), ...others]);
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
    if (this.#state.kind === 'backoff') this.#memory.close();
    await Promise.all([this.#spares?.close(reason), this.stop(reason)]);
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
    const { clock, random } = this.#options;
    // A wall clock that was set back must not make a moment that has come come again.
    const nowMs = event.kind === 'tick' ? Math.max(clock.now(), this.#awaitedMs()) : clock.now();
    const before = this.#state;
    const [state, ...effects] = transition(before, event, this.#blueprint.policy.restart, nowMs, random());
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
      this.#idle?.end();
      this.#idle = undefined;
    }
    this.#watchIdle(state, session);
    this.#keepReady(state);
    this.#memory.remember(state);
    if (state.kind === 'draining' && before.kind !== 'draining') this.#watchDrain(state.session);
    // First, so that nobody who comes because of the news is settled with the old.
    this.#waiters.settle(state);
    tell(() => this.#options.onChange?.(state));
    this.#feed.publish(state);
    // Those who wait are about to call.
    if (state.kind === 'running') this.#liveness?.watch();
    for (const resolve of this.#changeWaiters.splice(0)) resolve();
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
      case 'retire':
        this.#retired.add(effect.session, effect.reason);
        return;
      case 'kill':
        effect.session.kill(effect.cause);
        return;
    }
  }

  async #runLaunch(): Promise<void> {
    const abort = new AbortController();
    this.#launch = abort;
    let session: Session;
    try {
      session = await this.#blueprint.launch(abort.signal, async (signal) => await this.#spares?.take(signal));
    } catch (thrown) {
      const error = asMmmError(thrown, this.#options.plugin);
      const exit = abort.signal.aborted ? undefined : exitOfLaunch(error);
      if (exit !== undefined) tell(() => this.#options.onExit?.(exit, true));
      this.#send({ kind: 'launch_failed', error, wanted: this.#waiters.size > 0 });
      return;
    }
    tell(() => this.#options.onLaunched?.(session));
    this.#send({ kind: 'launched', session });
    await this.#follow(session);
  }

  async #follow(session: Session): Promise<void> {
    const reason = await session.exited;
    // Of a session that was turned away at once, or replaced, nothing is in the state.
    const inUse = sessionOf(this.#state) === session;
    tell(() => this.#options.onExit?.(reason, inUse));
    if (!inUse) return;
    const wanted = this.#waiters.size > 0;
    const cause = exitError(this.#options.plugin, reason);
    this.#send({ kind: 'exited', reason, cause, wanted, served: this.#served });
  }

  /** What a replacement may do here. */
  #replaced(): ReplacedPlugin {
    const { plugin, clock } = this.#options;
    return {
      plugin,
      clock,
      state: () => this.#state,
      send: (event) => this.#send(event),
      blueprint: () => this.#blueprint,
      adopt: (blueprint) => {
        this.#blueprint = blueprint;
        tell(() => blueprint.onAdopted?.());
        const before = this.#spares;
        this.#spares = this.#closed ? undefined : this.#sparesOf(blueprint);
        void before?.close('what it was made for was replaced');
        if (this.#state.kind === 'running') this.#wantSpare();
      },
      install: (session, reason) => {
        tell(() => this.#options.onLaunched?.(session));
        this.#send({ kind: 'replace', session, reason });
        void this.#follow(session);
      },
      startAtOnce: () => {
        const session = this.#waiters.add({}, () => this.#state);
        this.#send({ kind: 'start', atOnce: true });
        return session;
      },
      changed: () => new Promise<void>((resolve) => this.#changeWaiters.push(resolve)),
    };
  }

  #sparesOf(blueprint: Blueprint): Spares | undefined {
    const note: SparesOptions['note'] = (level, message) => tell(() => this.#options.note?.(level, message));
    return sparesOf(blueprint, this.#options.clock, note);
  }

  /** From the first moment of a session to its end. */
  #watchIdle(state: PluginState, session: Session | undefined): void {
    if (state.kind !== 'running' && state.kind !== 'degraded') {
      this.#idle?.end();
      this.#idle = undefined;
      return;
    }
    const { clock } = this.#options;
    const { policy } = this.#blueprint;
    this.#idle ??= new IdleWatch({
      clock,
      idleMs: policy.idleStopMs,
      isBusy: () =>
        (session?.connection.inFlight ?? 0) > 0 || this.#replacement.isUnderWay || this.#options.isNeeded?.() === true,
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

  #watch(session: Session): Liveness {
    const { liveness: policy } = this.#blueprint.policy;
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
