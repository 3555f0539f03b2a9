import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditEntry } from '../../../packages/host/src/audit/audit-log.ts';
import { openHome } from '../../../packages/host/src/home.ts';
import { PermissionPolicy } from '../../../packages/host/src/permit/policy.ts';
import { openStore } from '../../../packages/host/src/store/store.ts';
import { applyUpdate, type StagedUpdate } from '../../../packages/host/src/waiting-update.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const bundle = (digit: string): string => digit.repeat(64);

test('an update becomes the active version only while it is the one that waits', (t) => {
  const home = openHome(join(tempFolder(t), 'home'));
  const store = openStore(home.stateFile);
  t.after(() => store.close());
  const entries: AuditEntry[] = [];
  const audit = { append: (entry: AuditEntry): void => void entries.push(entry) };
  const services = {
    ...{ home, store, audit, policy: new PermissionPolicy([]), project: undefined },
    now: () => new Date('2026-01-02T03:04:05Z'),
  };
  const spec = { id: 'echo', origin: 'installed', manifest: { plugin: { name: 'echo', version: '2.0.0' } } };
  const update = {
    plugin: { spec, bundleSha256: bundle('2'), trust: { kind: 'unsigned' } },
    decision: { granted: [], missing: [], refused: [] },
    stagedAt: '2026-01-01T00:00:00Z',
  } as unknown as StagedUpdate;
  const waits = (sha256: string, version: string): void =>
    store.waitingUpdates.set('echo', { bundleSha256: sha256, version, isUnsigned: true, stagedAt: update.stagedAt });
  const link = join(home.plugins, 'echo');

  assert.equal(applyUpdate(update, services), false, 'dropped, or taken over by a newer installation');
  waits(bundle('3'), '3.0.0');
  assert.equal(applyUpdate(update, services), false, 'another one waits now');
  assert.deepEqual([entries, existsSync(link), store.plugins.get('echo')], [[], false, undefined]);

  waits(bundle('2'), '2.0.0');
  assert.equal(applyUpdate(update, services), true);
  assert.equal(readlinkSync(link), join('../store', bundle('2')));
  assert.equal(store.plugins.get('echo')?.version, '2.0.0');
  assert.equal(store.waitingUpdates.get('echo'), undefined);
});
