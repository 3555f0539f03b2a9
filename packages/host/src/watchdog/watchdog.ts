import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { LimitValues } from '../settings/limits.ts';
import { cpuBreach, type LimitBreach, memoryBreach, memoryExhausted, processesBreach } from './breach.ts';
import { Census, type Household, type Resident } from './census.ts';
import { DiskMeasure, type MeasureFolder } from './disk.ts';
import { MemoryGrowth, MemoryMeasure } from './memory.ts';
import type { ProcessTable } from './processes.ts';
import { type PluginUsage, UsageHistory } from './usage.ts';

const mebibyte = 1024 * 1024;
/** A program that forks without end uses all it gets, which on a busy machine is no more than this of a core. */
const forkingCores = 0.1;
/** Half of what it may have at work at once, and so many times the processors: nothing is won by that many. */
const crowdShare = 0.5;
const crowdPerProcessor = 4;
/** For an ordinary user's plugin the kernel counts a process of the sandbox as well, so that it has one less. */
const tasksSlack = 1;
/** And each fork that is about to fail counts for a moment, so that a bomb stays this much below what it may have. */
const tasksSlackShare = 1 / 32;
/** Memory that grew by this share of its limit from one look to the next grows fast. */
const growingShare = 1 / 32;
/** By so many tasks a program grew that forks without end; fewer are harmless, whatever they do. */
const forkedMin = 16;

/** One life of a plugin, from its first process on. */
export interface Watched {
  readonly plugin: string;
  /** Its first process; whatever descends from it is the plugin's. */
  readonly pid: number;
  /** Processes around the plugin that are not its own: those of the sandbox. */
  readonly helpers: number;
  readonly limits: LimitValues;
  /** Absent for a plugin without a folder of its own. */
  readonly dataDirectory?: string;
  /** How many of its processes the kernel ended over the memory of its control group, if it has one. */
  oomKills?(): number;
  /** It starts, or has a call in flight: it may be up to something. */
  isBusy(): boolean;
  /** Told once. The plugin is to be ended. */
  exceeded(breach: LimitBreach): void;
}

export interface Watch {
  readonly usage: PluginUsage;
  /**
   * The most memory that one of its processes asked for until now, used or not, in bytes: as seen, and if it went on as
   * it did between the last two looks.
   */
  claimedPeakBytes(): number;
  /** The process is gone. */
  end(): void;
}

export interface WatchdogOptions {
  readonly clock: Clock;
  readonly processes: ProcessTable;
  readonly measureFolder: MeasureFolder;
  /** Processors of this machine. */
  readonly processors: number;
  /** Free bytes on the disk of a folder; undefined when nobody knows. */
  freeBytes(folder: string): number | undefined;
}

/**
 * Ends plugins that go over a limit the kernel does not hold for them: memory, processor time, forks and disk space of
 * all their processes together. One timer and one look for all plugins; none while no plugin runs.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #census: Census;
  readonly #watched = new Map<number, WatchedPlugin>();
  /** What the folders had that were too large, so that the plugin can start again and tidy up, but not grow. */
  readonly #allowedDisk = new Map<string, number>();
  #timer: Timer | undefined;
  #isFast = false;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#census = new Census(options.processes);
  }

  add(watched: Watched): Watch {
    const entry = new WatchedPlugin(watched, this.#options, this.#allowedDisk);
    this.#watched.set(watched.pid, entry);
    this.nudge();
    return {
      get usage() {
        return entry.usage;
      },
      claimedPeakBytes: () => entry.growth.peakAt(this.#options.clock.monotonic()),
      end: () => {
        if (this.#watched.get(watched.pid) !== entry) return;
        this.#watched.delete(watched.pid);
        entry.ended();
        if (this.#watched.size === 0) this.#stop();
      },
    };
  }

  /** A plugin was given something to do: it is looked at soon. Cheap; to be told of every call. */
  nudge(): void {
    if (this.#isFast || this.#watched.size === 0) return;
    const restedMs = this.#options.clock.monotonic() - this.#lookedAtMs;
    this.#schedule(restedMs < hostLimits.watchFastMs ? hostLimits.watchFastMs : hostLimits.watchGrowingMs);
  }

  /** Of all lives of one plugin together; undefined when none is watched. */
  usageOf(plugin: string): PluginUsage | undefined {
    const lives = [...this.#watched.values()].filter((entry) => entry.plugin === plugin).map(({ usage }) => usage);
    const [first, ...others] = lives;
    return first && others.reduce(sum, first);
  }

  #schedule(ms: number): void {
    this.#timer?.cancel();
    this.#isFast = ms <= hostLimits.watchFastMs;
    this.#timer = this.#options.clock.after(ms, () => this.#look()).unref();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isFast = false;
  }

  #look(): void {
    const nowMs = this.#options.clock.monotonic();
    this.#lookedAtMs = nowMs;
    const all = [...this.#watched.values()];
    const due = all.filter((entry) => entry.isDue(nowMs));
    const roots = new Map(all.map(({ pid, helpers }) => [pid, helpers]));
    const households = this.#census.take(roots, new Set(due.filter((entry) => entry.isClose).map(({ pid }) => pid)));
    for (const entry of due) {
      const household = households.get(entry.pid);
      if (household !== undefined) entry.look(household, nowMs);
    }
    if (this.#watched.size === 0) this.#stop();
    else this.#schedule(Math.min(...[...this.#watched.values()].map((entry) => entry.nextLookMs)));
  }
}

/** What is known of one life, and whether it is within its limits. */
class WatchedPlugin {
  readonly plugin: string;
  readonly pid: number;
  readonly helpers: number;
  readonly #watched: Watched;
  readonly #options: WatchdogOptions;
  readonly #memory: MemoryMeasure;
  readonly #disk: DiskMeasure | undefined;
  readonly #history = new UsageHistory();
  readonly growth: MemoryGrowth;
  #usage: PluginUsage = { memoryBytes: 0, memoryPeakBytes: 0, cpuMs: 0, cores: 0, tasks: 0 };
  /** Of the processes that there were at the last look. */
  #countedMs = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #crowdedSinceMs: number | undefined;
  /** Until the next look, because of the number of its processes. */
  #pauseMs = 0;
  /** Looks since the last close one. */
  #glances = 0;
  #isOver = false;

  constructor(watched: Watched, options: WatchdogOptions, allowedDisk: Map<string, number>) {
    this.plugin = watched.plugin;
    this.pid = watched.pid;
    this.helpers = watched.helpers;
    this.#options = options;
    this.#watched = watched;
    const limitBytes = watched.limits.memory_mb * mebibyte;
    this.#memory = new MemoryMeasure(options.processes, limitBytes);
    this.growth = new MemoryGrowth(limitBytes * growingShare);
    // At its start it had nothing yet: what the first look finds came since.
    this.#history.add({ atMs: options.clock.monotonic(), cpuMs: 0, tasks: 0 }, Number.POSITIVE_INFINITY);
    const { dataDirectory: folder, limits, plugin } = watched;
    if (folder !== undefined) {
      this.#disk = new DiskMeasure({
        ...options,
        folder,
        plugin,
        limitMb: limits.disk_mb,
        allowed: allowedDisk,
        exceeded: (breach) => this.#exceeded(breach),
      });
    }
  }

  /** Its last process is gone. */
  ended(): void {
    void this.#disk?.ended();
  }

  get usage(): PluginUsage {
    const diskBytes = this.#disk?.bytes;
    return diskBytes === undefined ? this.#usage : { ...this.#usage, diskBytes };
  }

  get isFast(): boolean {
    if (this.#isOver) return false;
    return this.#watched.isBusy() || this.#usage.memoryBytes >= (this.#watched.limits.memory_mb * mebibyte) / 2;
  }

  /** Until the next look at the latest. */
  get nextLookMs(): number {
    if (!this.isFast) return hostLimits.watchSlowMs;
    return this.growth.isGrowing ? hostLimits.watchGrowingMs : hostLimits.watchFastMs;
  }

  /** A timer may come a little early. */
  isDue(nowMs: number): boolean {
    // Hundreds of processes take long to look at: the others must not feel that.
    if (nowMs - this.#lookedAtMs < this.#pauseMs) return false;
    return nowMs - this.#lookedAtMs >= this.nextLookMs - hostLimits.watchFastMs / 2;
  }

  /** Whether the next look asks for everything: always while it works, else now and then. */
  get isClose(): boolean {
    return this.isFast || this.#glances >= hostLimits.watchGlances;
  }

  look(household: Household, nowMs: number): void {
    this.#lookedAtMs = nowMs;
    if (household.residents.length < household.pids.length) this.#glance(household.pids);
    else this.#lookClosely(household.residents, nowMs);
    this.#pauseMs = Math.min(household.pids.length * hostLimits.watchProcessMs, hostLimits.watchPauseMaxMs);
  }

  /** Only whether its memory grew: when it did, the next look is soon and a close one. */
  #glance(pids: readonly number[]): void {
    this.#glances++;
    const { processes } = this.#options;
    const bytes = pids.reduce((sum, pid) => sum + (processes.residentBytes(pid) ?? 0), 0);
    this.#usage = { ...this.#usage, memoryBytes: bytes, memoryPeakBytes: Math.max(bytes, this.#usage.memoryPeakBytes) };
  }

  #lookClosely(residents: readonly Resident[], nowMs: number): void {
    this.#glances = 0;
    const { limits, plugin } = this.#watched;
    const memoryBytes = this.#memory.bytes(residents, nowMs);
    this.growth.add({ atMs: nowMs, bytes: this.#memory.claimedBytes(residents) });
    const countedMs = residents.reduce((total, resident) => total + resident.cpuMs, 0);
    // What a process had used is lost when nobody waits for its end: the sum goes on from there, and not back.
    const cpuMs = this.#usage.cpuMs + Math.max(0, countedMs - this.#countedMs);
    this.#countedMs = countedMs;
    const tasks = residents.reduce((total, { threads }) => total + threads, 0);
    this.#history.add({ atMs: nowMs, cpuMs, tasks }, this.#tasksMax());
    this.#disk?.look(nowMs, cpuMs > this.#usage.cpuMs);
    this.#usage = {
      memoryBytes,
      memoryPeakBytes: Math.max(memoryBytes, this.#usage.memoryPeakBytes),
      cpuMs,
      cores: this.#history.cores(hostLimits.cpuWindowMs),
      tasks,
    };
    if ((this.#watched.oomKills?.() ?? 0) > 0) this.#exceeded(memoryExhausted(plugin, limits.memory_mb));
    else if (this.#isForking(residents, nowMs)) this.#exceeded(processesBreach(plugin, limits.processes));
    else if (memoryBytes > limits.memory_mb * mebibyte) {
      this.#exceeded(memoryBreach(plugin, limits.memory_mb, memoryBytes));
    } else if (this.#history.isWhole && this.#usage.cores > limits.cpu) {
      this.#exceeded(cpuBreach(plugin, limits.cpu, this.#usage.cores));
    }
  }

  /** From here on it has all the processes it may have, with those of the sandbox. */
  #tasksMax(): number {
    const { helpers, limits } = this.#watched;
    return limits.processes + helpers - Math.max(tasksSlack, Math.ceil(limits.processes * tasksSlackShare));
  }

  /**
   * It came by most of what it may have just now, and has either all of it and is at work, or a crowd at work at once:
   * under one uid other processes may count, so that it does not get all. To have many processes alone is allowed.
   */
  #isForking(residents: readonly Resident[], nowMs: number): boolean {
    const { processes } = this.#watched.limits;
    const running = residents.filter(({ isRunning }) => isRunning).length;
    const crowd = Math.max(forkedMin, processes * crowdShare, this.#options.processors * crowdPerProcessor);
    if (running < crowd) this.#crowdedSinceMs = undefined;
    else this.#crowdedSinceMs ??= nowMs;
    const { atLimitMs, growth } = this.#history;
    if (growth < Math.max(forkedMin, processes / 2)) return false;
    if (nowMs - (this.#crowdedSinceMs ?? nowMs) >= hostLimits.processesAtLimitMs) return true;
    const isBusy = this.#history.cores(hostLimits.processesAtLimitMs) >= forkingCores;
    return isBusy && atLimitMs >= hostLimits.processesAtLimitMs;
  }

  #exceeded(breach: LimitBreach): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watched.exceeded(breach);
  }
}

function sum(a: PluginUsage, b: PluginUsage): PluginUsage {
  const diskBytes = a.diskBytes ?? b.diskBytes;
  return {
    memoryBytes: a.memoryBytes + b.memoryBytes,
    memoryPeakBytes: a.memoryPeakBytes + b.memoryPeakBytes,
    cpuMs: a.cpuMs + b.cpuMs,
    cores: a.cores + b.cores,
    tasks: a.tasks + b.tasks,
    ...(diskBytes === undefined ? {} : { diskBytes }),
  };
}
