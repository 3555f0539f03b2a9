import { readdirSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isAlive } from '@mmm/bundle';
import { diskName, type Home } from './home.ts';
import { whileNobodyElseInstalls } from './install-lock.ts';
import type { Store } from './store/store.ts';

const pattern = /^\.(.+)\.(\d+)\.new$/;

/** A link that becomes `plugins/<name>` in one step, once the installation is on record. */
export function freshLink(home: Home, name: string): string {
  return join(home.plugins, `.${diskName(name)}.${process.pid}.new`);
}

/**
 * Ends the installations that a process did not live to end: one that is on record gets its link, any other is
 * forgotten, and the version before is the active one still.
 */
export function finishActivations(home: Home, store: Pick<Store, 'plugins' | 'waitingUpdates'>): void {
  if (unfinished(home).length > 0) whileNobodyElseInstalls(home, () => finish(home, store));
}

function unfinished({ plugins }: Home): readonly { readonly file: string; readonly disk: string }[] {
  return readdirSync(plugins).flatMap((file) => {
    const [, disk = '', pid = ''] = pattern.exec(file) ?? [];
    // Our own number: an earlier process had it. Within this one, making the link and moving it is one turn.
    return disk === '' || (Number(pid) !== process.pid && isAlive(Number(pid))) ? [] : [{ file, disk }];
  });
}

function finish(home: Home, store: Pick<Store, 'plugins' | 'waitingUpdates'>): void {
  for (const { file, disk } of unfinished(home)) {
    const fresh = join(home.plugins, file);
    const record = store.plugins.list().find(({ id }) => diskName(id) === disk);
    if (record === undefined || record.bundleSha256 !== targetOf(fresh)) {
      rmSync(fresh, { force: true });
      continue;
    }
    renameSync(fresh, join(home.plugins, disk));
    store.waitingUpdates.remove(record.id);
  }
}

function targetOf(link: string): string | undefined {
  try {
    return basename(readlinkSync(link));
  } catch {
    return undefined;
  }
}
