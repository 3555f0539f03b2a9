import type { ProcessStat, ProcessTable } from '../../packages/host/src/watchdog/processes.ts';

interface FakeProcess extends ProcessStat {
  readonly dataBytes?: number;
  readonly unsharedBytes?: number;
  readonly proportionalBytes?: number;
}

/** A table of processes that a test writes, with how often it was asked for what. */
export class FakeProcesses implements ProcessTable {
  readonly asked = { pids: 0, stat: 0, residentBytes: 0, unsharedBytes: 0, proportionalBytes: 0 };
  readonly #table = new Map<number, FakeProcess>();
  #last = 0;

  /** Starts a process, or changes the one of that number. */
  set(pid: number, facts: Partial<FakeProcess> & { readonly parent: number }): void {
    const before = this.#table.get(pid);
    const usual = { session: 0, startedAt: pid, cpuMs: 0, threads: 1, isRunning: false, residentBytes: 0 };
    this.#table.set(pid, { ...usual, ...before, ...facts });
    if (before === undefined) this.#last = pid;
  }

  end(pid: number): void {
    this.#table.delete(pid);
  }

  pids(): readonly number[] {
    this.asked.pids++;
    return [...this.#table.keys()];
  }

  lastPid(): number {
    return this.#last;
  }

  stat(pid: number): ProcessStat | undefined {
    this.asked.stat++;
    return this.#table.get(pid);
  }

  residentBytes(pid: number): number | undefined {
    this.asked.residentBytes++;
    return this.#table.get(pid)?.residentBytes;
  }

  /** What is not said otherwise is all used. */
  dataBytes(pid: number): number | undefined {
    const found = this.#table.get(pid);
    return found?.dataBytes ?? found?.residentBytes;
  }

  unsharedBytes(pid: number): number | undefined {
    this.asked.unsharedBytes++;
    return this.#table.get(pid)?.unsharedBytes;
  }

  async proportionalBytes(pid: number): Promise<number | undefined> {
    this.asked.proportionalBytes++;
    return this.#table.get(pid)?.proportionalBytes;
  }
}
