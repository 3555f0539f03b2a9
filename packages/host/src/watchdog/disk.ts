import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { diskBreach, folderBreach, type LimitBreach } from './breach.ts';
import type { FolderSize } from './folder-size.ts';

const mebibyte = 1024 * 1024;

export type MeasureFolder = (folder: string) => Promise<FolderSize>;

export interface DiskMeasureOptions {
  readonly plugin: string;
  readonly folder: string;
  readonly limitMb: number;
  readonly clock: Clock;
  readonly measureFolder: MeasureFolder;
  freeBytes(folder: string): number | undefined;
  /** By folder, what it had when it was ended for being too large for the first time. */
  readonly allowed: Map<string, number>;
  exceeded(breach: LimitBreach): void;
}

/**
 * Measures a plugin's data folder now and then: while the plugin works, the less often the longer it takes, and at once
 * when the disk loses much of its free space. Nothing is measured while the plugin does nothing.
 */
export class DiskMeasure {
  readonly #options: DiskMeasureOptions;
  #bytes: number | undefined;
  #isMeasuring = false;
  /** It did something since the last measurement; at first nobody knows. */
  #isStale = true;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #freeBytes: number | undefined;
  #tookMs = 0;
  /** It is ended for the first time: what it has then is what it may have. */
  #isFirstBreach = false;

  constructor(options: DiskMeasureOptions) {
    this.#options = options;
  }

  /** At the last measurement; undefined before the first. */
  get bytes(): number | undefined {
    return this.#bytes;
  }

  look(nowMs: number, worked: boolean): void {
    this.#isStale ||= worked;
    if (!this.#isStale || this.#isMeasuring) return;
    const isPressing = this.#tookMs < hostLimits.watchFastMs / 2 && this.#lostSpace();
    if (nowMs >= this.#nextAtMs || isPressing) void this.#measure();
  }

  /** Its last process is gone. What it wrote between the look that found it over its limit and its end is there now. */
  async ended(): Promise<void> {
    if (!this.#isFirstBreach) return;
    const { folder, measureFolder, allowed } = this.#options;
    const size = await measureFolder(folder);
    const before = allowed.get(folder);
    if (before !== undefined && 'bytes' in size) allowed.set(folder, Math.max(before, size.bytes));
  }

  /** Whether somebody filled the disk since the last measurement. It may have been somebody else. */
  #lostSpace(): boolean {
    const free = this.#options.freeBytes(this.#options.folder);
    if (free === undefined || this.#freeBytes === undefined) return false;
    return this.#freeBytes - free >= hostLimits.diskDropMb * mebibyte;
  }

  async #measure(): Promise<void> {
    const { clock, folder, plugin, limitMb, allowed, measureFolder, freeBytes, exceeded } = this.#options;
    const startedMs = clock.monotonic();
    this.#isMeasuring = true;
    this.#isStale = false;
    this.#freeBytes = freeBytes(folder);
    const limitBytes = limitMb * mebibyte;
    const before = allowed.get(folder);
    const mostBytes = Math.max(limitBytes, before === undefined ? 0 : before + hostLimits.diskSlackMb * mebibyte);
    const size = await measureFolder(folder);
    this.#tookMs = clock.monotonic() - startedMs;
    this.#nextAtMs = startedMs + Math.max(hostLimits.diskWatchMs, this.#tookMs / hostLimits.diskWatchShare);
    this.#isMeasuring = false;
    if ('unmeasurable' in size) {
      const files = hostLimits.dataFiles.toLocaleString('en');
      const what =
        size.unmeasurable === 'many' ? `has more than ${files} files` : 'nests folders deeper than a path can name';
      exceeded(folderBreach(limitMb, what));
      return;
    }
    this.#bytes = size.bytes;
    if (size.bytes <= limitBytes) allowed.delete(folder);
    if (size.bytes <= mostBytes) return;
    // What it had the first time stays the measure: starting again and again must not make room.
    if (before === undefined) {
      allowed.set(folder, size.bytes);
      this.#isFirstBreach = true;
    }
    exceeded(diskBreach(plugin, limitMb, size.bytes));
  }
}
