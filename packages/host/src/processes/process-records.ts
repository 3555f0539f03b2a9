import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { numberSpace, processEntry } from './process-table.ts';

const prefix = 'process-';
/** Far more than a record has; what is larger was not written here. */
const recordBytesMax = 4 * 1024;

const processName = z.strictObject({ pid: z.int().min(2), startedAt: z.string().regex(/^\d+$/) });

const numberSpaceShape = { boot: z.string().min(1), namespace: z.string().min(1) };

const processRecord = z.strictObject({
  /** Where its numbers mean something. */
  ...numberSpaceShape,
  plugin: z.string(),
  /** The first process of a launch, which leads a group of its own. */
  process: processName,
  host: processName,
  /** What HOME of the plugin is, if that folder is its alone: what a process of it can be known by. */
  home: z.string().nullable(),
});

/** One process that a host started for a plugin. */
export type ProcessRecord = z.infer<typeof processRecord>;

export interface RecordedProcess {
  readonly record: ProcessRecord;
  /** The process has ended. */
  forget(): void;
}

/**
 * What is written down of each process that runs for a plugin, one small file each, for as long as it runs. The files
 * of a host that was killed stay. They need not survive a power cut: no process does.
 */
export class ProcessRecords {
  readonly #directory: string;
  readonly #host: ProcessRecord['host'] | undefined;
  readonly #space = numberSpace();

  /** `directory`: one of this user alone, which must exist. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#host = named(process.pid);
  }

  /**
   * Writes down a process that was just started. Undefined where the kernel does not say when a process started, and
   * when it is gone already. A record that cannot be written costs no start.
   */
  add(plugin: string, pid: number, home: string | null): RecordedProcess | undefined {
    const started = named(pid);
    if (started === undefined || this.#host === undefined || this.#space === undefined) return undefined;
    const file = join(this.#directory, `${prefix}${pid}-${started.startedAt}.json`);
    const record: ProcessRecord = { ...this.#space, plugin, process: started, host: this.#host, home };
    try {
      writeFileSync(file, JSON.stringify(record), { mode: 0o600 });
    } catch {
      // A full disk: the kernel still ties the process to this one.
    }
    return { record, forget: () => rmSync(file, { force: true }) };
  }

  /**
   * Every record there is, with its file. What is no record of this run of the kernel is removed. Those of another
   * container that shares the folder are left out: its numbers are other processes here.
   */
  list(): readonly { readonly file: string; readonly record: ProcessRecord }[] {
    const names = readdirSync(this.#directory).filter((name) => name.startsWith(prefix));
    return names.flatMap((name) => {
      const file = join(this.#directory, name);
      const record = readRecord(file);
      if (record === undefined || record.boot !== this.#space?.boot) {
        rmSync(file, { force: true });
        return [];
      }
      return record.namespace === this.#space.namespace ? [{ file, record }] : [];
    });
  }
}

/** True when this very process runs, and not another one under its number. */
export function isRunning({ pid, startedAt }: ProcessRecord['process']): boolean {
  const entry = processEntry(pid);
  return entry !== undefined && entry.startedAt === startedAt && !entry.hasEnded;
}

function named(pid: number): ProcessRecord['process'] | undefined {
  const startedAt = processEntry(pid)?.startedAt;
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Undefined for half a record, which a host that was killed meanwhile leaves. */
function readRecord(file: string): ProcessRecord | undefined {
  try {
    const text = readFileSync(file, 'utf8');
    return text.length > recordBytesMax ? undefined : processRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
