import { errorHelp, MmmError } from '@mmm/protocol';
import type { CrashMemory } from '../store/crash-memory.ts';
import type { CrashRecord } from '../store/store.ts';
import type { RestartPolicy } from './policy.ts';
import { stillCounting } from './restart.ts';
import type { PluginState } from './state.ts';

/** What outlives the host of the crashes of a plugin; undefined when there is nothing to remember. */
export function recordOf(state: PluginState): CrashRecord | undefined {
  switch (state.kind) {
    case 'quarantined':
    case 'probing':
      return { state: 'quarantined', untilMs: state.untilMs, crashes: [], cause: plain(state.cause) };
    case 'backoff':
      return { state: 'backoff', untilMs: state.untilMs, crashes: state.crashes, cause: plain(state.cause) };
    case 'stopping':
      if (state.quarantine !== undefined) {
        const { untilMs, cause } = state.quarantine;
        return { state: 'quarantined', untilMs, crashes: [], cause: plain(cause) };
      }
      return crashesOnly(state.crashes);
    case 'stopped':
    case 'starting':
    case 'running':
    case 'degraded':
    case 'draining':
    case 'failed':
      return crashesOnly(state.crashes);
  }
}

/** The state to begin in. A record that is over, or that nobody can read, counts for nothing. */
export function stateOf(record: CrashRecord | undefined, policy: RestartPolicy, nowMs: number): PluginState {
  const fresh = 'it was not started yet';
  if (record === undefined) return { kind: 'stopped', reason: fresh, crashes: [] };
  const { untilMs } = record;
  const cause = errorOf(record);
  if (record.state === 'quarantined' && cause !== undefined && Number.isFinite(policy.crashesMax)) {
    return { kind: 'quarantined', untilMs, cause };
  }
  const crashes = stillCounting(record.crashes, nowMs, policy);
  // A clock that was set back must not make a wait longer than any wait is.
  if (record.state === 'backoff' && cause !== undefined && untilMs > nowMs && untilMs - nowMs <= policy.backoffMaxMs) {
    return { kind: 'backoff', untilMs, cause, wanted: false, crashes };
  }
  return { kind: 'stopped', reason: fresh, crashes };
}

function crashesOnly(crashes: readonly number[]): CrashRecord | undefined {
  return crashes.length === 0 ? undefined : { state: 'none', untilMs: 0, crashes, cause: null };
}

function plain({ code, message, data }: MmmError): NonNullable<CrashRecord['cause']> {
  return { code, message, data };
}

function errorOf({ cause }: CrashRecord): MmmError | undefined {
  if (cause === null || !Object.hasOwn(errorHelp, cause.code)) return undefined;
  return new MmmError(cause.code as 'INTERNAL', cause.message, cause.data as { detail: string });
}

/** Keeps the memory in step with the states of one plugin. Without a memory nothing outlives the host. */
export class StateMemory {
  readonly #memory: CrashMemory | undefined;
  /** What the memory holds, as text. */
  #remembered: string | undefined;
  #closed = false;

  constructor(memory: CrashMemory | undefined) {
    this.#memory = memory;
  }

  /** The state to begin in. */
  begin(policy: RestartPolicy, nowMs: number): PluginState {
    const record = this.#memory?.read();
    this.#remembered = JSON.stringify(record);
    return stateOf(record, policy, nowMs);
  }

  /** Never throws: a store that fails must not keep a plugin from being supervised. */
  remember(state: PluginState): void {
    if (this.#memory === undefined || this.#closed) return;
    const record = recordOf(state);
    const text = JSON.stringify(record);
    if (text === this.#remembered) return;
    this.#remembered = text;
    try {
      this.#memory.write(record);
    } catch {
      // Written with the next change.
    }
  }

  /** Nothing is remembered from here on. */
  close(): void {
    this.#closed = true;
  }

  /** Another process of this user may have lifted the quarantine. */
  wasLifted(): boolean {
    try {
      return this.#memory !== undefined && this.#memory.read()?.state !== 'quarantined';
    } catch {
      return false;
    }
  }
}
