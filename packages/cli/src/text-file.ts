import { closeSync, openSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import { type Io, readFileUpTo, readStdin } from './io.ts';

/** More than any key or statement has. */
const statementBytesMax = 4 * 1024 * 1024;

/** The text of a file, or of stdin for `-`. Throws USAGE when it cannot be read. */
export async function readTextFile(io: Io, file: string): Promise<string> {
  try {
    if (file === '-') return await readStdin(io, statementBytesMax);
    return await readFileUpTo(resolve(io.cwd, file), statementBytesMax);
  } catch (error) {
    throw cannot('read', file, error);
  }
}

/** Writes a file; one that is there already is never replaced. Throws USAGE when it cannot be written. */
export function writeTextFile(io: Io, file: string, text: string, mode: 0o600 | 0o644): void {
  const descriptor = openNew(io, file, mode);
  try {
    write(descriptor, file, text);
  } finally {
    closeSync(descriptor);
  }
}

/** As `writeTextFile`, line by line. Returns how many there were. */
export async function writeLines(
  io: Io,
  file: string,
  lines: Iterable<string> | AsyncIterable<string>,
  mode: 0o600 | 0o644,
): Promise<number> {
  const descriptor = openNew(io, file, mode);
  let count = 0;
  try {
    for await (const line of lines) {
      write(descriptor, file, `${line}\n`);
      count += 1;
    }
    return count;
  } finally {
    closeSync(descriptor);
  }
}

function write(descriptor: number, file: string, text: string): void {
  try {
    writeFileSync(descriptor, text);
  } catch (error) {
    throw cannot('written', file, error);
  }
}

function openNew(io: Io, file: string, mode: number): number {
  try {
    return openSync(resolve(io.cwd, file), 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw cannot('written', file, error);
    const message = `${file} is there already. Name another file.`;
    throw new MmmError('USAGE', message, { argument: file });
  }
}

function cannot(what: 'read' | 'written', file: string, error: unknown): MmmError<'USAGE'> {
  const reason = error instanceof Error ? error.message : String(error);
  return new MmmError('USAGE', `${file} cannot be ${what}: ${reason}`, { argument: file });
}
