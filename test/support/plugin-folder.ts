import { chmod, cp, lstat, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { KeyRing, type SigningKey, signBundle, TrustStore } from '@mmm/bundle';

/** A folder of its own for one test, removed afterwards even if parts of it are read-only. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'mmm-test-')));
  t.after(async () => {
    await makeWritable(folder);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

async function makeWritable(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await makeWritable(join(path, name));
}

export const identity = { name: 'acme/echo', version: '1.2.3', manifest: 'plugin.toml' } as const;
/** The moment at which tests take place. */
export const now = new Date('2026-01-02T03:04:05Z');

/** Writes files by path; those whose content begins with `#!` are executable. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
}

export interface SignedPlugin {
  readonly home: string;
  readonly plugin: string;
  readonly key: SigningKey;
  readonly trust: TrustStore;
  /** A fresh copy of the signed folder, to be damaged. */
  copy(name: string): Promise<string>;
}

/** A small signed plugin folder, a home folder, and the key that signed, trusted for everything. */
export async function signedPlugin(t: TestContext): Promise<SignedPlugin> {
  const home = await temporaryFolder(t);
  const plugin = join(home, 'plugin');
  await writeFiles(plugin, { 'plugin.toml': 'schema = 1\n', 'bin/run': '#!/bin/sh\ncat\n', 'lib/a/b.txt': 'b' });
  const key = await new KeyRing(join(home, 'keys')).create('default');
  const trust = await TrustStore.open(join(home, 'trust.json'));
  await trust.add({ publicKey: key.publicKey, name: 'me', role: 'publisher', scopes: ['*'] }, now);
  await signBundle(plugin, identity, key);
  const copy = async (name: string) => {
    await cp(plugin, join(home, name), { recursive: true });
    return join(home, name);
  };
  return { home, plugin, key, trust, copy };
}
