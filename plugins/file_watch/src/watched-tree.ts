import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Change, emptyListing, isChanged, type Listing, list } from './entries.ts';
import type { PathMatcher } from './globs.ts';

export interface TreeOptions {
  readonly root: string;
  readonly recursive: boolean;
  readonly debounceMs: number;
  isIncluded: PathMatcher;
  isIgnored: PathMatcher;
  /** What was there when it was looked at last, by folder; without it everything is taken as it is. */
  readonly before: ReadonlyMap<string, Listing> | undefined;
  /** Calls back once, in so many milliseconds. Returns what calls it off. */
  after(ms: number, run: () => void): () => void;
  /** Told of changes, in no order that means anything; the next ones wait until it resolves. */
  changed(changes: readonly Change[]): Promise<void>;
  warn(message: string): void;
}

/** How often folders are looked at that cannot be watched, and the watched folder itself, which may vanish. */
const lookMs = 2_000;
/** More would take minutes to begin with and hundreds of megabytes. */
const filesMax = 200_000;
/** A folder in which something happens all the time is looked at after so many notifications all the same. */
const putOffMax = 50;

/**
 * A folder with everything below it. The system only says where something happened; what it was is found by comparing,
 * so that a burst, a lost notification and a rename all come out right.
 */
export class WatchedTree {
  readonly #options: TreeOptions;
  readonly #folders = new Map<string, Listing>();
  readonly #watchers = new Map<string, FSWatcher>();
  /** Folders that the system will not watch any more of: looked at now and then. */
  readonly #unwatched = new Set<string>();
  readonly #dirty = new Set<string>();
  #files = 0;
  /** How often the look at what happened was put off, because more happened. */
  #putOff = 0;
  #cancelDebounce: () => void = () => undefined;
  #cancelLook: () => void = () => undefined;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;
  #rootInode: number | undefined;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  /** Resolves when everything is watched. Rejects when there are too many files. */
  async start(): Promise<void> {
    const { before } = this.#options;
    const changes: Change[] = [];
    this.#rootInode = await this.#root();
    await this.#add('', changes, before ?? new Map());
    // What is gone with its whole folder.
    for (const [folder, listing] of before ?? []) {
      if (!this.#folders.has(folder)) this.#gone(folder, listing, changes);
    }
    if (before !== undefined) await this.#tell(changes);
    this.#lookLater();
  }

  /** What is there, by folder. */
  get listings(): ReadonlyMap<string, Listing> {
    return this.#folders;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelDebounce();
    this.#cancelLook();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await this.#work;
  }

  async #add(folder: string, changes: Change[], before: ReadonlyMap<string, Listing>): Promise<void> {
    // Watched before it is read: what happens in between is then looked at again.
    this.#watch(folder);
    const known = before.get(folder) ?? emptyListing;
    this.#folders.set(folder, emptyListing);
    await this.#compare(folder, known, changes, before);
  }

  async #compare(
    folder: string,
    known: Listing,
    changes: Change[],
    before: ReadonlyMap<string, Listing> = new Map(),
  ): Promise<void> {
    const now = await list(join(this.#options.root, folder), (name, isFolder) =>
      this.#isWanted(folder, name, isFolder),
    );
    if (this.#stopped || !this.#folders.has(folder)) return;
    const had = this.#folders.get(folder) ?? emptyListing;
    this.#files += now.files.size - had.files.size;
    if (this.#files > filesMax) {
      throw new Error(`there are more than ${filesMax} files; watch a smaller folder, or ignore more`);
    }
    this.#folders.set(folder, now);
    for (const [name, entry] of now.files) {
      const earlier = known.files.get(name);
      const path = join(folder, name);
      if (earlier === undefined) changes.push({ kind: 'created', path, entry });
      else if (isChanged(earlier, entry)) changes.push({ kind: 'changed', path, entry });
    }
    for (const [name, entry] of known.files) {
      if (!now.files.has(name)) changes.push({ kind: 'deleted', path: join(folder, name), entry });
    }
    for (const [name, inode] of known.folders) {
      // Also one that was made anew under its name: what watched the old one sees nothing of it.
      if (now.folders.get(name) !== inode) this.#remove(join(folder, name), changes);
    }
    for (const name of now.folders.keys()) {
      const path = join(folder, name);
      if (!this.#folders.has(path)) await this.#add(path, changes, before);
    }
  }

  #remove(folder: string, changes: Change[]): void {
    const listing = this.#folders.get(folder);
    if (listing === undefined) return;
    this.#folders.delete(folder);
    this.#files -= listing.files.size;
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    this.#unwatched.delete(folder);
    this.#gone(folder, listing, changes);
    for (const name of listing.folders.keys()) this.#remove(join(folder, name), changes);
  }

  #gone(folder: string, { files }: Listing, changes: Change[]): void {
    for (const [name, entry] of files) changes.push({ kind: 'deleted', path: join(folder, name), entry });
  }

  #isWanted(folder: string, name: string, isFolder: boolean): boolean {
    const path = join(folder, name);
    if (this.#options.isIgnored(path)) return false;
    return isFolder ? this.#options.recursive : this.#options.isIncluded(path);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(join(this.#options.root, folder), { persistent: true }, () => this.#happened(folder));
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#unwatched.add(folder);
        this.#happened(folder);
      });
      this.#watchers.get(folder)?.close();
      this.#watchers.set(folder, watcher);
      this.#unwatched.delete(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && this.#unwatched.size === 0) {
        this.#options.warn(`${join(this.#options.root, folder)} is looked at every 2 s instead: ${String(error)}`);
      }
      this.#unwatched.add(folder);
    }
  }

  #happened(folder: string): void {
    if (this.#stopped) return;
    this.#dirty.add(folder);
    const { debounceMs, after } = this.#options;
    // While it goes on, but not for ever.
    if (this.#putOff >= putOffMax) return;
    this.#putOff += 1;
    this.#cancelDebounce();
    this.#cancelDebounce = after(debounceMs, () => this.#settle());
  }

  #settle(): void {
    this.#putOff = 0;
    this.#work = this.#work.then(async () => {
      const folders = [...this.#dirty];
      this.#dirty.clear();
      const changes: Change[] = [];
      try {
        for (const folder of folders) {
          const known = this.#folders.get(folder);
          if (known !== undefined && !this.#stopped) await this.#compare(folder, known, changes);
        }
        await this.#tell(changes);
      } catch (error) {
        this.#options.warn(`changes were lost: ${String(error)}`);
      }
    });
  }

  async #tell(changes: readonly Change[]): Promise<void> {
    if (changes.length > 0 && !this.#stopped) await this.#options.changed(changes);
  }

  async #root(): Promise<number | undefined> {
    return await stat(this.#options.root).then(
      ({ ino }) => ino,
      () => undefined,
    );
  }

  /** A watch of a folder that was deleted and made again is of the old one. */
  #lookLater(): void {
    if (this.#stopped) return;
    this.#cancelLook = this.#options.after(lookMs, () => {
      void this.#look().finally(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    for (const folder of this.#unwatched) this.#happened(folder);
    const inode = await this.#root();
    if (inode === this.#rootInode || this.#stopped) return;
    this.#rootInode = inode;
    this.#watch('');
    this.#happened('');
  }
}
