import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processEntry } from '../processes/process-table.ts';

/** What is done to a folder of control groups. The kernel fills a folder that is made there with its files. */
export interface GroupFolder {
  make(path: string): void;
  remove(path: string): void;
  read(path: string): string;
  /** Fails for a file that is not there. */
  write(path: string, text: string): void;
  names(path: string): readonly string[];
}

export const systemGroupFolder: GroupFolder = {
  make: (path) => mkdirSync(path),
  remove: (path) => rmdirSync(path),
  read: (path) => readFileSync(path, 'utf8'),
  write: (path, text) => writeFileSync(path, text, { flag: 'r+' }),
  names: (path) => readdirSync(path),
};

/** A host, which a number alone does not name: numbers are used again. */
export interface GroupOwner {
  readonly pid: number;
  /** In clock ticks since boot. No group outlives the boot. */
  readonly startedAt: string;
}

type Version = 'v1' | 'v2';

const prefix = 'mmm-';
const ownName = /^mmm-(\d+)-(\d+)-\d+$/;

/** The group of one launch. */
export interface MemoryGroup {
  /** Moves a process in; what it starts from then on is in it as well. False when it could not be moved. */
  join(pid: number): boolean;
  /** How many of its processes the kernel ended over the limit. */
  oomKills(): number;
  /** To be called when all its processes are gone. What cannot be removed yet is removed before the next is made. */
  end(): void;
}

/** Groups that limit memory, one a launch, below a folder that was given to this host for that. */
export class MemoryGroups {
  readonly #folder: GroupFolder;
  readonly #parent: string;
  readonly #version: Version;
  readonly #owner: GroupOwner;
  readonly #ended = new Set<string>();
  #count = 0;

  private constructor(folder: GroupFolder, parent: string, version: Version, owner: GroupOwner) {
    this.#folder = folder;
    this.#parent = parent;
    this.#version = version;
    this.#owner = owner;
  }

  /** Below a folder of this machine, for this process. What dead hosts left there is removed. */
  static ofHost(parent: string): MemoryGroups | undefined {
    const { pid } = process;
    const groups = MemoryGroups.open(systemGroupFolder, parent, { pid, startedAt: startOf(pid) ?? '0' });
    groups?.sweep((owner) => startOf(owner.pid) === owner.startedAt);
    return groups;
  }

  /** Tried by doing: undefined where no group can be made below `parent`, given a limit and removed. Never throws. */
  static open(folder: GroupFolder, parent: string, owner: GroupOwner): MemoryGroups | undefined {
    const version = versionOf(folder, parent);
    if (version === undefined) return undefined;
    const groups = new MemoryGroups(folder, parent, version, owner);
    const tried = groups.make(64 * 1024 * 1024);
    tried?.end();
    return tried === undefined || groups.#ended.size > 0 ? undefined : groups;
  }

  /** Undefined when it cannot be made whole: a group without its limit would hold nothing. */
  make(limitBytes: number): MemoryGroup | undefined {
    this.#removeEnded();
    const { pid, startedAt } = this.#owner;
    this.#count++;
    const path = join(this.#parent, `${prefix}${pid}-${startedAt}-${this.#count}`);
    try {
      this.#folder.make(path);
    } catch {
      return undefined;
    }
    try {
      this.#limit(path, String(limitBytes));
    } catch {
      this.#remove(path);
      return undefined;
    }
    return {
      join: (member) => this.#try(() => this.#folder.write(join(path, 'cgroup.procs'), String(member))),
      oomKills: () => this.#oomKills(path),
      end: () => this.#remove(path),
    };
  }

  /** Removes what could not be removed before, and what hosts left that are gone. Only empty groups can be removed. */
  sweep(isRunning: (owner: GroupOwner) => boolean): void {
    this.#removeEnded();
    this.#try(() => {
      for (const name of this.#folder.names(this.#parent)) {
        const [, pid, startedAt] = ownName.exec(name) ?? [];
        if (pid === undefined || startedAt === undefined) continue;
        if (!isRunning({ pid: Number(pid), startedAt })) this.#try(() => this.#folder.remove(join(this.#parent, name)));
      }
    });
  }

  #removeEnded(): void {
    for (const path of [...this.#ended]) this.#remove(path);
  }

  #limit(path: string, bytes: string): void {
    if (this.#version === 'v1') {
      this.#folder.write(join(path, 'memory.limit_in_bytes'), bytes);
      // Absent where the kernel does not account for swap. It must not be below the other one.
      this.#try(() => this.#folder.write(join(path, 'memory.memsw.limit_in_bytes'), bytes));
      return;
    }
    this.#folder.write(join(path, 'memory.max'), bytes);
    this.#try(() => this.#folder.write(join(path, 'memory.swap.max'), '0'));
    // All its processes end together. v1 ends one, and who reads the count ends the rest.
    this.#try(() => this.#folder.write(join(path, 'memory.oom.group'), '1'));
  }

  #oomKills(path: string): number {
    const file = this.#version === 'v1' ? 'memory.oom_control' : 'memory.events';
    try {
      return parseOomKills(this.#folder.read(join(path, file)));
    } catch {
      return 0;
    }
  }

  #remove(path: string): void {
    if (this.#try(() => this.#folder.remove(path))) this.#ended.delete(path);
    else this.#ended.add(path);
  }

  #try(act: () => void): boolean {
    try {
      act();
      return true;
    } catch {
      return false;
    }
  }
}

function startOf(pid: number): string | undefined {
  return processEntry(pid)?.startedAt;
}

/** Reads `memory.events` of v2 and `memory.oom_control` of v1 (since Linux 4.13); 0 where neither tells. */
export function parseOomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

function versionOf(folder: GroupFolder, parent: string): Version | undefined {
  const read = (name: string): string | undefined => {
    try {
      return folder.read(join(parent, name));
    } catch {
      return undefined;
    }
  };
  const controllers = read('cgroup.subtree_control');
  if (controllers !== undefined) return controllers.trim().split(/\s+/).includes('memory') ? 'v2' : undefined;
  return read('memory.limit_in_bytes') === undefined ? undefined : 'v1';
}
