import { close, constants, fdatasync, fsync, open } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { MmmError } from '@mmm/protocol';
import { unreadable } from './database.ts';

const [openFile, closeFile, syncData, syncFile] = [open, close, fdatasync, fsync].map((call) => promisify(call)) as [
  (path: string, flags: number) => Promise<number>,
  (descriptor: number) => Promise<void>,
  (descriptor: number) => Promise<void>,
  (descriptor: number) => Promise<void>,
];

/**
 * Brings to the disk what SQLite has appended to its write-ahead log, without holding up the event loop: one sync at a
 * time, for every commit before it. SQLite's own (`synchronous = FULL`) would block the loop once a commit, for as long
 * as the disk takes, and a plugin that writes without pause could hold up all others with it. The rule is the same: a
 * commit whose frames are synced is found again after a power cut. A checkpoint syncs by itself what it moves.
 */
export class WalSync {
  readonly #database: string;
  readonly #file: string;
  readonly #rewrite: () => void;
  readonly #sync: (descriptor: number) => Promise<void>;
  #written = 0;
  #synced = 0;
  #running: Promise<void> | undefined;
  #isFolderSynced = false;
  #hasFailed = false;

  /**
   * `rewrite` moves the whole log into the database and syncs that; it throws when it cannot. `sync` is the system's
   * fdatasync by default.
   */
  constructor(databaseFile: string, rewrite: () => void, sync = syncData) {
    this.#database = databaseFile;
    this.#file = `${databaseFile}-wal`;
    this.#rewrite = rewrite;
    this.#sync = sync;
  }

  /** Called after each commit that somebody waits for. */
  committed(): void {
    this.#written += 1;
  }

  /** Resolves when every commit before this call is on the disk. Rejects with STATE_UNREADABLE. */
  async synced(): Promise<void> {
    const wanted = this.#written;
    while (this.#synced < wanted) {
      this.#running ??= this.#syncNow().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
  }

  async #syncNow(): Promise<void> {
    const covered = this.#written;
    // After a failed sync the kernel takes the pages for clean, and the next sync would be a lie (fsync(2), EIO). So
    // they are written again, to the database itself.
    if (this.#hasFailed) this.#rewrite();
    this.#hasFailed = true;
    try {
      await this.#syncFile();
    } catch (error) {
      throw error instanceof MmmError ? error : unreadable(this.#database, error);
    }
    this.#hasFailed = false;
    this.#synced = covered;
  }

  /** Opened each time, a few microseconds: SQLite removes the file when its last connection is closed. */
  async #syncFile(): Promise<void> {
    await this.#opened(this.#file, this.#sync);
    if (this.#isFolderSynced) return;
    // SQLite does this when it syncs a log that it made itself; here it may not have yet.
    await this.#opened(dirname(this.#file), syncFile);
    this.#isFolderSynced = true;
  }

  async #opened(path: string, work: (descriptor: number) => Promise<void>): Promise<void> {
    let descriptor: number;
    try {
      descriptor = await openFile(path, constants.O_RDONLY);
    } catch (error) {
      // No log: the whole of it is in the database, or it is in another mode, which syncs itself.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      await work(descriptor);
    } finally {
      await closeFile(descriptor);
    }
  }
}
