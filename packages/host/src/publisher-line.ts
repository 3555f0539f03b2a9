import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { privateFileWriter } from '@mmm/bundle';
import { SecretFile } from './config/secret-file.ts';
import type { Home } from './home.ts';
import type { Store } from './store/store.ts';

export interface AdoptServices {
  readonly home: Home;
  readonly store: Store;
}

/**
 * Files what was filed under one key by itself under the line that it belongs to now: a key that was trusted before its
 * rotation was known had grants, data and secrets of its own. Does nothing for any other key. May be repeated.
 */
export async function adoptPublisher(keyid: string, publisher: string, { home, store }: AdoptServices): Promise<void> {
  if (keyid === publisher) return;
  store.grants.refile(keyid, publisher);
  store.plugins.refile(keyid, publisher);
  store.versions.refile(keyid, publisher);
  store.values.refile(keyid, publisher);
  const write = await privateFileWriter();
  for (const name of readdirSync(home.secrets)) {
    if (!name.endsWith('.json')) continue;
    const file = new SecretFile(join(home.secrets, name));
    const own = file.read(keyid);
    if (Object.keys(own).length === 0) continue;
    file.write(publisher, { ...file.read(publisher), ...own }, write);
    file.write(keyid, {}, write);
  }
}
