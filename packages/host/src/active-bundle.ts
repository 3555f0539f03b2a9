import { lstatSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { MmmError, type Permission, permissionKey } from '@mmm/protocol';
import type { AuditSink } from './audit/audit-log.ts';
import { claimData } from './data-owner.ts';
import type { PluginSpec } from './discover/spec.ts';
import { freshLink } from './finish-activations.ts';
import { diskName, type Home } from './home.ts';
import { publisherOf } from './identity.ts';
import type { PluginRecord, Store } from './store/store.ts';
import type { Trust } from './verify/verified.ts';

/** A verified bundle of the store that may become the active one of its name. */
export interface Offered {
  readonly spec: PluginSpec;
  readonly name: string;
  readonly version: string;
  readonly bundleSha256: string;
  readonly trust: Trust;
  /** Plugins of others whose names are easily taken for its own; recorded. */
  readonly similar?: readonly string[];
}

/**
 * Records the installation, with what was granted with it, and makes the bundle the active one of its name. Until the
 * last step, the switch of a link, nothing of the version before has changed. An update that waited is forgotten.
 * To be called within `whileNobodyElseInstalls`. Returns where the data of another publisher's plugin of this name
 * went, or null.
 */
export function makeActive(
  { spec, name, version, bundleSha256, trust, similar = [] }: Offered,
  granted: readonly Permission[],
  services: { readonly home: Home; readonly store: Store; readonly audit: AuditSink; now(): Date },
  why?: 'rollback',
): string | null {
  const { home, store, audit } = services;
  const at = services.now().toISOString();
  const before = store.plugins.get(name);
  const replaced = before?.version ?? null;
  const noted = { ...(similar.length === 0 ? {} : { similar }), ...(why === undefined ? {} : { why }) };
  const detail = { version, bundle: bundleSha256, trust, granted: granted.map(permissionKey), replaced, ...noted };
  audit.append({ action: 'install', plugin: name, detail });
  store.grants.add(name, publisherOf(trust), granted, 'flag', at);
  const unsignedException = trust.kind === 'unsigned' ? bundleSha256 : null;
  const activate = preparedLink(home, name, bundleSha256);
  keepPrevious(name, before, bundleSha256, store);
  store.plugins.installed(name, { bundleSha256, version, installedAt: at, unsignedException });
  activate();
  store.waitingUpdates.remove(name);
  return claimData(spec, trust, services);
}

/** What is replaced stays in the store, to be gone back to. */
function keepPrevious(name: string, before: PluginRecord | undefined, bundleSha256: string, store: Store): void {
  store.previousBundles.remove(name, bundleSha256);
  if (before?.bundleSha256 == null || before.bundleSha256 === bundleSha256) return;
  const { bundleSha256: kept, version, unsignedException } = before;
  store.previousBundles.add(name, {
    bundleSha256: kept,
    version: version ?? '',
    isUnsigned: unsignedException === kept,
  });
}

/**
 * Makes the link to a bundle of the store beside `plugins/<name>`; what it returns moves it there in one step. Whoever
 * finds it there later knows what was meant, should this process end in between.
 */
function preparedLink(home: Home, name: string, bundleSha256: string): () => void {
  const link = join(home.plugins, diskName(name));
  const existing = lstatSync(link, { throwIfNoEntry: false });
  if (existing !== undefined && !existing.isSymbolicLink()) {
    throw new MmmError(
      'PLUGIN_NAME_TAKEN',
      `${link} is a folder that mmm did not install. Move it away, then install again.`,
      {
        plugin: name,
        directories: [link],
      },
    );
  }
  const fresh = freshLink(home, name);
  rmSync(fresh, { force: true });
  symlinkSync(relative(home.plugins, join(home.store, bundleSha256)), fresh);
  return () => renameSync(fresh, link);
}

/** The bundle that the active link points to, or null when there is none. */
export function activeBundle(home: Home, name: string): string | null {
  try {
    return (
      readlinkSync(join(home.plugins, diskName(name)))
        .split('/')
        .at(-1) ?? null
    );
  } catch (error) {
    // EINVAL: it is no link.
    if (['ENOENT', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** Takes the active link away. Returns the bundle it pointed to, or null when there is none, or no more. */
export function deactivate(home: Home, name: string): string | null {
  const bundle = activeBundle(home, name);
  if (bundle === null) return null;
  try {
    unlinkSync(join(home.plugins, diskName(name)));
    return bundle;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
