import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KeyRing, TrustStore } from '@mmm/bundle';
import type { MmmError } from '@mmm/protocol';
import type { AuditEntry } from '../../../packages/host/src/audit/audit-log.ts';
import { hostLimits } from '../../../packages/host/src/limits.ts';
import { TrustWatch, type WatchedRun } from '../../../packages/host/src/trust-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const now = new Date('2026-01-02T03:04:05Z');

interface Setup {
  readonly file: string;
  readonly trust: TrustStore;
  readonly clock: FakeClock;
  readonly watch: TrustWatch;
  readonly audited: AuditEntry[];
  /** A launch under the key `acme`, with the errors it was ended with. */
  run(plugin?: string): WatchedRun & { readonly ended: MmmError[] };
}

async function setUp(t: TestContext, append?: () => void): Promise<Setup> {
  const directory = tempFolder(t);
  const file = join(directory, 'trust.json');
  const trust = await TrustStore.open(file);
  const { publicKey, keyid } = await new KeyRing(join(directory, 'keys')).create('acme');
  await trust.add({ publicKey, name: 'acme', role: 'publisher', scopes: ['*'] }, now);
  const clock = new FakeClock();
  const audited: AuditEntry[] = [];
  const audit = { append: append ?? ((entry: AuditEntry) => void audited.push(entry)) };
  const run: Setup['run'] = (plugin = 'echo') => {
    const ended: MmmError[] = [];
    return { plugin, bundleSha256: 'a'.repeat(64), keyid, ended, end: (error) => void ended.push(error) };
  };
  return { file, trust, clock, watch: new TrustWatch({ trust, clock, audit }), audited, run };
}

/** What another process does to the store. */
async function revokeElsewhere(file: string): Promise<void> {
  await (await TrustStore.open(file)).revoke('acme', 'stolen', now);
}

test('nothing is looked at while nothing runs', async (t) => {
  const { clock, watch, run } = await setUp(t);
  assert.equal(clock.waiting, 0);
  const unwatch = watch.watch(run());
  const other = watch.watch(run('other'));
  assert.equal(clock.waiting, 1, 'one timer for all');
  await clock.advance(hostLimits.trustPollMs * 5);
  assert.equal(clock.waiting, 1);
  unwatch();
  assert.equal(clock.waiting, 1);
  other();
  assert.equal(clock.waiting, 0);
});

test('what another process revokes ends what runs at the next look, once, and is audited', async (t) => {
  const { file, clock, watch, audited, run } = await setUp(t);
  const running = run();
  watch.watch(running);
  await revokeElsewhere(file);
  assert.equal(running.ended.length, 0);
  await clock.advance(hostLimits.trustPollMs);
  assert.deepEqual(
    running.ended.map(({ code }) => code),
    ['KEY_REVOKED'],
  );
  await clock.advance(hostLimits.trustPollMs * 3);
  assert.equal(running.ended.length, 1);
  assert.equal(clock.waiting, 0, 'nothing is left to be watched');
  const [entry] = audited;
  assert.deepEqual([audited.length, entry?.action, entry?.plugin], [1, 'stop', 'echo']);
  assert.deepEqual([entry?.detail.why, entry?.detail.keyid], ['KEY_REVOKED', running.keyid]);
});

test('what was revoked between the verification and the launch ends it before it begins', async (t) => {
  const { file, trust, watch, run } = await setUp(t);
  await revokeElsewhere(file);
  trust.refresh();
  const running = run();
  watch.watch(running);
  assert.equal(running.ended.length, 1);
});

test('this process need not wait, and a change that another reader saw first is not missed', async (t) => {
  const { file, trust, watch, run } = await setUp(t);
  const running = run();
  watch.watch(running);
  await revokeElsewhere(file);
  trust.refresh();
  watch.check();
  assert.equal(running.ended.length, 1);
});

test('a log that cannot be written keeps nothing alive, a store that cannot be read ends nothing', async (t) => {
  const { file, clock, watch, run } = await setUp(t, () => {
    throw new Error('the disk is full');
  });
  const running = run();
  watch.watch(running);
  const { chmodSync } = await import('node:fs');
  chmodSync(file, 0o666);
  await clock.advance(hostLimits.trustPollMs);
  assert.equal(running.ended.length, 0);
  chmodSync(file, 0o600);
  await revokeElsewhere(file);
  await clock.advance(hostLimits.trustPollMs);
  assert.equal(running.ended.length, 1);
});

test('it looks often enough for what is promised', () => {
  assert.ok(hostLimits.trustPollMs <= 500);
});
