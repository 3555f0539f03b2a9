import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskFailure } from '@mmm/bundle';

/**
 * What a client must have read from the `run` folder before the daemon does anything for it. To connect is not enough:
 * there are confinements, Landlock for one, that keep a plugin of the same user from reading that folder and not from
 * connecting to a socket in it.
 */
export function makeControlToken(runFolder: string): string {
  const token = randomBytes(32).toString('hex');
  const file = fileIn(runFolder);
  const unfinished = `${file}.${process.pid}`;
  try {
    writeFileSync(unfinished, token, { mode: 0o600 });
    renameSync(unfinished, file);
  } catch (error) {
    throw diskFailure(error, { what: 'What clients show a daemon', file, after: 'No daemon was started.' });
  }
  return token;
}

/** Empty when there is none: then the daemon refuses, and says so. */
export function readControlToken(runFolder: string): string {
  try {
    return readFileSync(fileIn(runFolder), 'latin1');
  } catch {
    return '';
  }
}

export function isControlToken(given: string, token: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(token)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function fileIn(runFolder: string): string {
  return join(runFolder, 'control.token');
}
