import { join } from 'node:path';
import { withFileLock } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { Home } from './home.ts';

/**
 * Runs `work` while no other process decides which bundle is the active one of a name: what an offered one was judged
 * against is then what it replaces. Throws STATE_UNREADABLE when another process does not let go.
 */
export function whileNobodyElseInstalls<T>(home: Home, work: () => T): T {
  const file = join(home.directory, 'plugins.lock');
  const done = withFileLock(file, work);
  if (done !== undefined) return done.value;
  const reason = 'is held by another process that does not let go';
  const message = `Nothing was installed: the lock ${file} ${reason}. End that process, then try again.`;
  throw new MmmError('STATE_UNREADABLE', message, { file, reason });
}
