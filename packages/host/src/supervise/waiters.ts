import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { PluginState } from './state.ts';

/** How long and in what a caller waits for a session. */
export interface SessionWait {
  readonly signal?: AbortSignal;
  /** Longest wait in milliseconds. Default: until the plugin runs or has failed. */
  readonly deadlineMs?: number;
  /** Do not wait out a backoff. */
  readonly failFast?: boolean;
}

interface Waiter {
  readonly failFast: boolean;
  resolve(session: Session): void;
  reject(error: unknown): void;
}

/** Everybody who waits for one plugin to run. Each is settled exactly once, whatever happens. */
export class SessionWaiters {
  readonly #plugin: string;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter>();

  constructor(plugin: string, clock: Clock) {
    this.#plugin = plugin;
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `state` is asked when the deadline passes, to say what was waited for. */
  add(wait: SessionWait, state: () => PluginState): Promise<Session> {
    const queuedMax = hostLimits.sessionWaiters;
    if (this.size >= queuedMax) {
      const message = `${queuedMax} callers already wait for ${this.#plugin} to start. Try again later.`;
      return Promise.reject(new MmmError('BUSY', message, { plugin: this.#plugin, queued: this.size, queuedMax }));
    }
    return new Promise<Session>((resolve, reject) => {
      const { signal, deadlineMs } = wait;
      const done = (): void => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        timer?.cancel();
      };
      const waiter: Waiter = {
        failFast: wait.failFast ?? false,
        resolve: (session) => {
          done();
          resolve(session);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason);
      const timer =
        deadlineMs === undefined
          ? undefined
          : this.#clock.after(deadlineMs, () => waiter.reject(unavailable(this.#plugin, state(), this.#clock.now())));
      signal?.addEventListener('abort', onAbort);
      this.#waiting.add(waiter);
    });
  }

  /** Tells those for whom this state is an answer. A session whose pipe is closed already is none. */
  settle(state: PluginState): void {
    switch (state.kind) {
      case 'running':
      case 'degraded':
        if (state.session.connection.isClosed) return;
        for (const waiter of this.#waiting) waiter.resolve(state.session);
        return;
      case 'failed':
        this.rejectAll(state.cause);
        return;
      case 'stopped':
      case 'quarantined':
        this.rejectAll(unavailable(this.#plugin, state, this.#clock.now()));
        return;
      case 'backoff':
        if (state.untilMs <= this.#clock.now()) return;
        for (const waiter of this.#waiting) {
          if (waiter.failFast) waiter.reject(unavailable(this.#plugin, state, this.#clock.now()));
        }
        return;
      case 'starting':
      case 'probing':
      case 'draining':
      case 'stopping':
        return;
    }
  }

  rejectAll(error: MmmError): void {
    for (const waiter of this.#waiting) waiter.reject(error);
  }
}

/** Says in which state the plugin is and what to do about it. */
function unavailable(plugin: string, state: PluginState, nowMs: number): MmmError<'PLUGIN_UNAVAILABLE'> {
  const untilMs = 'untilMs' in state ? state.untilMs : null;
  const cause = 'cause' in state ? state.cause : undefined;
  const reason = cause?.message ?? ('reason' in state ? state.reason : 'it is still starting');
  return new MmmError(
    'PLUGIN_UNAVAILABLE',
    `${plugin} cannot be called: ${sentence(state, nowMs)}${cause === undefined ? '' : ` ${cause.message}`}`,
    { plugin, state: state.kind, untilMs, cause: reason },
    cause === undefined ? undefined : { cause },
  );
}

function sentence(state: PluginState, nowMs: number): string {
  switch (state.kind) {
    case 'stopped':
      return `it was stopped while this call waited: ${state.reason}.`;
    case 'backoff':
      return `it crashed and starts again in ${seconds(state.untilMs - nowMs)}.`;
    case 'quarantined':
      return (
        `it crashed too often and is quarantined; one trial start is made after ${seconds(state.untilMs - nowMs)}, ` +
        'or at once after a reset.'
      );
    case 'failed':
      return 'it failed to start.';
    case 'starting':
    case 'probing':
      return 'it is still starting.';
    case 'draining':
    case 'stopping':
      return 'it is being stopped.';
    case 'running':
    case 'degraded':
      return 'it is running only now.';
  }
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.ceil(ms / 1000))} s`;
}
