import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileEntry, Listing } from './entries.ts';

/** Folders with more files are not remembered: what changes while nothing runs is then not told. */
const filesRemembered = 20_000;

interface Written {
  readonly watched: string;
  readonly folders: readonly (readonly [
    string,
    readonly (readonly [string, FileEntry])[],
    readonly (readonly [string, string])[],
  ])[];
}

/** What lay in the watched folder of one instance when it was looked at last: kept in the plugin's own folder. */
export class TreeMemory {
  readonly #directory: string;
  readonly #file: string;
  /** What is watched, in one text: what was remembered of something else says nothing. */
  readonly #watched: string;

  constructor(dataDirectory: string, instance: string, watched: string) {
    this.#directory = join(dataDirectory, 'watched');
    this.#file = join(this.#directory, `${encodeURIComponent(instance)}.json`);
    this.#watched = watched;
  }

  /** Undefined for nothing that can be used. */
  read(): ReadonlyMap<string, Listing> | undefined {
    try {
      const { watched, folders } = JSON.parse(readFileSync(this.#file, 'utf8')) as Written;
      if (watched !== this.#watched) return undefined;
      return new Map(
        folders.map(([folder, files, below]): [string, Listing] => [
          folder,
          { files: new Map(files), folders: new Map(below) },
        ]),
      );
    } catch {
      return undefined;
    }
  }

  /** Beside the file and then in its place: a crash leaves the one or the other. */
  write(listings: ReadonlyMap<string, Listing>): void {
    let count = 0;
    for (const { files } of listings.values()) count += files.size;
    const folders: Written['folders'] =
      count > filesRemembered
        ? []
        : [...listings].map(([folder, { files, folders: below }]) => [folder, [...files], [...below]]);
    const watched = count > filesRemembered ? '' : this.#watched;
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify({ watched, folders } satisfies Written));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
