import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Permission, parsePermissionKey, RpcError } from '@mmm/protocol';
import type { AuditEntry } from '../../../../packages/host/src/audit/audit-log.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { covers } from '../../../../packages/host/src/permit/covers.ts';
import { PermissionGuard } from '../../../../packages/host/src/permit/enforce.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function permission(key: string): Permission {
  const parsed = parsePermissionKey(key);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed;
}

const covered: readonly [granted: string, needed: string, expected: boolean][] = [
  ['state=plugin', 'state=plugin', true],
  ['state=plugin', 'state=project', false],
  ['state=global', 'state=plugin', false],
  ['project=write', 'project=read', true],
  ['project=read', 'project=write', false],
  ['filesystem=read:/a', 'filesystem=read:/a/b', true],
  ['filesystem=read:/a/**', 'filesystem=read:/a', true],
  ['filesystem=read:/a', 'filesystem=read:/ab', false],
  ['filesystem=read:/a', 'filesystem=write:/a', false],
  ['filesystem=write:/a', 'filesystem=read:/a', true],
  ['filesystem=write:/a', 'filesystem=execute:/a', false],
  ['filesystem=read:/a', 'filesystem=read:/a/../b', false],
  ['filesystem=read:/a/b', 'filesystem=read:/a', false],
  ['network=h.example.com', 'network=h.example.com:443', true],
  ['network=h.example.com', 'network=h.example.com:80', false],
  ['network=h.example.com:*', 'network=h.example.com:80', true],
  ['network=*.example.com', 'network=h.example.com', true],
  ['network=*.example.com', 'network=example.com', false],
  ['network=*.example.com', 'network=evilexample.com', false],
  ['network=h.example.com', 'network=*.example.com', false],
  ['network=https://h.example.com', 'network=http://h.example.com:443', false],
  ['network=h.example.com', 'network=h.example.com!private', false],
  ['network=h.example.com!private', 'network=h.example.com', true],
  ['messages=*', 'messages=any', true],
  ['messages=acme/*', 'messages=acme/x', true],
  ['messages=acme/*', 'messages=acmex', false],
  ['compose=a:*', 'compose=a:b', true],
  ['compose=a:b', 'compose=a:c', false],
  ['compose=*:*', 'compose=a:c', true],
  ['environment=MY_*', 'environment=MY_X', true],
  ['commands=git', 'commands=gitk', false],
  ['model=*', 'model=*', true],
  ['devices=audio', 'system_control=volume', false],
  ['commands=audio', 'devices=audio', false],
];
for (const [granted, needed, expected] of covered) {
  test(`${granted} ${expected ? 'covers' : 'does not cover'} ${needed}`, () => {
    assert.equal(covers(permission(granted), permission(needed)), expected);
  });
}

const plugin = { spec: { id: 'hook' }, granted: [permission('state=plugin')] };

test('what is covered passes without a trace, what is not is refused with what would allow it', () => {
  const audited: AuditEntry[] = [];
  const guard = new PermissionGuard({ audit: { append: (entry) => void audited.push(entry) }, clock: new FakeClock() });
  guard.enforce(plugin, permission('state=plugin'));
  assert.deepEqual(audited, []);
  const wanted = permission('state=project');
  assert.throws(
    () => guard.enforce(plugin, wanted),
    /was not granted state=project\. Its manifest does not ask for it/,
  );
  audited.length = 0;
  assert.throws(
    () => guard.enforce(plugin, wanted, wanted),
    (error) => {
      assert.ok(error instanceof RpcError && error.is('PermissionDenied'));
      assert.match(error.message, /mmm plugin grant hook state=project/);
      assert.deepEqual(error.data?.details, { permission: 'state=project' });
      return true;
    },
  );
  assert.deepEqual(audited, [{ action: 'refused', plugin: 'hook', detail: { permission: 'state=project' } }]);
});

test('a plugin that asks in a loop is refused each time and recorded a bounded number of times', async () => {
  const audited: AuditEntry[] = [];
  const clock = new FakeClock();
  const guard = new PermissionGuard({ audit: { append: (entry) => void audited.push(entry) }, clock });
  const refuse = (): void => assert.throws(() => guard.enforce(plugin, permission('model=*')), RpcError);
  for (let index = 0; index < 1000; index += 1) refuse();
  assert.equal(audited.length, hostLimits.refusalsRecordedPerMinute);
  await clock.advance(60_000);
  refuse();
  const unrecorded = 1000 - hostLimits.refusalsRecordedPerMinute;
  assert.deepEqual(audited.at(-1)?.detail, { permission: 'model=*', unrecorded });
  for (let index = 0; index < 100; index += 1) refuse();
  guard.ended('hook');
  assert.deepEqual(audited.at(-1)?.detail, { unrecorded: 101 - hostLimits.refusalsRecordedPerMinute });
  const recorded = audited.length;
  guard.ended('hook');
  assert.equal(audited.length, recorded);
});

test('a refusal that cannot be recorded is still a refusal', () => {
  const guard = new PermissionGuard({
    audit: {
      append: () => {
        throw new Error('disk full');
      },
    },
    clock: new FakeClock(),
  });
  assert.throws(() => guard.enforce(plugin, permission('model=*')), RpcError);
});

test('who asks without end is written down less and less, and as often as before once it has stopped', async () => {
  const audited: AuditEntry[] = [];
  const clock = new FakeClock();
  const guard = new PermissionGuard({ audit: { append: (entry) => void audited.push(entry) }, clock });
  const day = 24 * 60 * 60_000;
  const stepMs = 30_000;
  const atOnce = 200;
  for (let at = 0; at < day; at += stepMs) {
    for (let index = 0; index < atOnce; index += 1) guard.refused('hook', { what: 'anything' });
    await clock.advance(stepMs);
  }
  const perHour = hostLimits.refusalsRecordedPerMinute;
  assert.ok(audited.length <= (24 + 7) * perHour, String(audited.length));
  assert.ok(audited.length >= 24 * perHour, 'it never falls silent');
  const told = audited.reduce((sum, { detail }) => sum + 1 + Number(detail.unrecorded ?? 0), 0);
  assert.ok(told > ((day - hostLimits.refusalsMinuteMaxMs) / stepMs) * atOnce, 'what was left out is counted');
  await clock.advance(hostLimits.refusalsMinuteMaxMs);
  guard.refused('hook', {});
  await clock.advance(hostLimits.refusalsMinuteMaxMs);
  const before = audited.length;
  guard.refused('hook', {});
  await clock.advance(60_000);
  guard.refused('hook', {});
  assert.equal(audited.length, before + 2);
});
