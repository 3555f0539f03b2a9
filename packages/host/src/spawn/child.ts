import type { Transport } from '@mmm/rpc';
import type { LimitBreach } from '../watchdog/breach.ts';

export interface ChildExit {
  /** The plugin's own exit code, or null when a signal ended it. */
  readonly code: number | null;
  /** The signal that ended the plugin itself, also when a sandbox stood between. */
  readonly signal: NodeJS.Signals | null;
  /** Present when the sandbox could not be set up: not one byte of the plugin ran. */
  readonly sandboxFailed?: true;
}

/** A running process group with its pipes. */
export interface Child {
  /** The first process of the group: the sandbox, or the plugin itself without one. */
  readonly pid: number;
  /** The plugin's own process as the host sees it; undefined until it runs and after it ended. */
  readonly pluginPid?: number | undefined;
  readonly startedAtMs: number;
  readonly transport: Transport;
  /** The limit it was ended for, or whose refusal it ended over; undefined before, and for every other end. */
  readonly breach?: LimitBreach | undefined;
  /** Resolves exactly once, after the process is gone and its group was killed; never rejects. */
  readonly exited: Promise<ChildExit>;
  /** The last lines of stderr and stray stdout, newest last, at most 4 KiB. */
  stderrTail(): string;
  /** Puts a line that was not read from stderr, such as stray stdout, into the tail. */
  addToTail?(line: string): void;
  /** Ends the plugin's stdin. */
  closeInput(): void;
  /** Signals the whole group. Never throws when it is already gone. */
  kill(signal: NodeJS.Signals): void;
}
