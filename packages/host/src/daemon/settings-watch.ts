import { statSync } from 'node:fs';
import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';

export interface SettingsWatchOptions {
  /** Absolute path of config.toml. */
  readonly file: string;
  readonly clock: Clock;
  /** Takes the file over, or throws why it cannot be. */
  apply(): Promise<void>;
  note(level: 'info' | 'error', message: string): void;
}

/** Has config.toml read again when it was changed. A faulty one changes nothing, and is said until it is mended. */
export class SettingsWatch {
  readonly #options: SettingsWatchOptions;
  #seen: string;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;
  #appliedAt: string;
  #problem: string | null = null;

  constructor(options: SettingsWatchOptions) {
    this.#options = options;
    this.#seen = this.#look();
    this.#appliedAt = this.#now();
    this.#wait();
  }

  get status(): { readonly file: string; readonly appliedAt: string; readonly problem: string | null } {
    return { file: this.#options.file, appliedAt: this.#appliedAt, problem: this.#problem };
  }

  /** Reads it now, changed or not. Never rejects: what is wrong is in the log and in `status`. */
  reload(): Promise<void> {
    this.#running = this.#running.then(() => this.#apply());
    return this.#running;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #apply(): Promise<void> {
    if (this.#isClosed) return;
    const { note, apply, file } = this.#options;
    this.#seen = this.#look();
    try {
      await apply();
      this.#appliedAt = this.#now();
      this.#problem = null;
      note('info', `took ${file} over`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#problem = message;
      note('error', `${file} is not taken over, and what was in force stays: ${message}`);
    }
  }

  #wait(): void {
    const { clock } = this.#options;
    this.#timer = clock
      .after(hostLimits.settingsLookMs, () => {
        if (this.#isClosed) return;
        const changed = this.#look() !== this.#seen;
        void (changed ? this.reload() : Promise.resolve()).then(() => {
          if (!this.#isClosed) this.#wait();
        });
      })
      .unref();
  }

  /** Through a link: people keep their settings elsewhere. */
  #look(): string {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(this.#options.file, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unreadable';
    }
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
