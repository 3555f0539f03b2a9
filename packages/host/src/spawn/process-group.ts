import { readFileSync } from 'node:fs';
import { reapOnExit } from './reap.ts';
import type { SandboxStatus } from './sandbox-status.ts';

/**
 * The processes of one launch. A sandboxed plugin leads a session of its own, so that there are two groups: the
 * sandbox's, which only SIGKILL is sent to, and the plugin's, which every signal is sent to.
 */
export class ProcessGroup {
  readonly pid: number;
  readonly #status: SandboxStatus | undefined;
  readonly #forget: () => void;
  /** Told to, the sandbox ends everything it started and then itself. */
  readonly #endsAll: boolean;

  constructor(pid: number, status: SandboxStatus | undefined, endsAll = false) {
    this.pid = pid;
    this.#endsAll = endsAll;
    this.#status = status;
    this.#forget = reapOnExit(() => this.signal('SIGKILL'));
  }

  /** The plugin's own process as the host sees it. */
  get pluginPid(): number | undefined {
    if (this.#status === undefined) return this.pid;
    if (this.#status.pluginPid !== undefined) return isThere(this.#status.pluginPid);
    const inner = this.#status.innerPid;
    return inner === undefined ? undefined : firstChild(inner);
  }

  /** Reaches the plugin and what it started. Never throws when all is gone. */
  signal(signal: NodeJS.Signals): void {
    const inner = this.#status?.innerPid;
    if (inner !== undefined) signalGroup(inner, signal);
    // To the sandbox itself SIGTERM would be the end of everything in it, without the plugin ever seeing it.
    if (inner === undefined || signal === 'SIGKILL') signalGroup(this.pid, this.#endsAll ? 'SIGTERM' : signal);
  }

  /** After the exit: kills what is left and stops watching. From here on the numbers may belong to others. */
  end(): void {
    // The namespace died with its first process, and that number may be reused: only our own group is left to kill.
    signalGroup(this.pid, 'SIGKILL');
    this.#forget();
  }
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // ESRCH: gone already.
  }
}

/** The number, while it belongs to a process. */
function isThere(pid: number): number | undefined {
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? undefined : pid;
  }
}

function firstChild(pid: number): number | undefined {
  try {
    const [first = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return first === '' ? undefined : Number(first);
  } catch {
    return undefined;
  }
}
