import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifest, type Permission, permissionKey, permissionSetOf, RpcError } from '@mmm/protocol';
import type { AuditEntry } from '../../../../packages/host/src/audit/audit-log.ts';
import { inTurn } from '../../../../packages/host/src/clients/in-turn.ts';
import { OpenCall } from '../../../../packages/host/src/clients/open-calls.ts';
import type { PermissionRequest, PromptAnswer } from '../../../../packages/host/src/clients/prompter.ts';
import { PermissionGuard } from '../../../../packages/host/src/permit/enforce.ts';
import { FirstUse } from '../../../../packages/host/src/permit/first-use.ts';
import type { PermittedPlugin } from '../../../../packages/host/src/permit/permitted.ts';
import { resolvePolicy } from '../../../../packages/host/src/permit/policy.ts';
import type { PermissionPolicyInput } from '../../../../packages/host/src/settings/policy.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';

const one: Permission = { kind: 'network', host: 'one.example.com', optional: true };
const two: Permission = { kind: 'network', host: 'two.example.com', optional: true };
const required: Permission = { kind: 'network', host: 'three.example.com' };

interface Setting {
  readonly firstUse: Pick<FirstUse, 'granted' | 'isAsking'> & { need(permission: Permission): Promise<void> };
  readonly asked: PermissionRequest[];
  readonly audited: AuditEntry[];
  readonly stored: string[];
  answer(given: PromptAnswer | Error): Promise<void>;
}

function setUp({ called = true, policy = {} as PermissionPolicyInput, prompts = true } = {}): Setting {
  const parsed = manifest.parse({
    schema: 1,
    plugin: { name: 'hook', version: '1.2.3', description: 'd', license: 'MIT', command: ['node', 'x.js'] },
    permissions: permissionSetOf([one, two, required]),
  });
  const plugin = {
    spec: { id: 'hook', manifest: parsed },
    trust: { kind: 'signed', keyid: 'k', keyName: 'Ada', fingerprint: 'k', publisher: 'k' },
    granted: [required],
    stored: [],
    automatic: [],
  } as unknown as PermittedPlugin;
  const clock = new FakeClock();
  const [asked, audited, stored]: [PermissionRequest[], AuditEntry[], string[]] = [[], [], []];
  const waiting: { resolve(answer: PromptAnswer): void; reject(error: Error): void }[] = [];
  const audit = { append: (entry: AuditEntry) => void audited.push(entry) };
  const ask = (request: PermissionRequest): Promise<PromptAnswer> => {
    asked.push(request);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const grants = {
    list: () => [],
    add: (_plugin: string, _publisher: string, permissions: readonly Permission[]) =>
      void stored.push(...permissions.map(permissionKey)),
  };
  const permit = {
    grants: grants as never,
    policy: resolvePolicy(policy),
    audit,
    once: new Set<string>(),
    now: () => '2026-01-01T00:00:00.000Z',
  };
  const firstUse = new FirstUse(plugin, {
    permit,
    guard: new PermissionGuard({ audit, clock }),
  });
  const prompter = prompts ? inTurn({ ask }, clock) : undefined;
  const connection = { holdIdle: () => () => undefined };
  const call = called ? new OpenCall('hook', connection, { origin: { prompter }, endsAtMs: 0 }) : undefined;
  return {
    firstUse: {
      need: (permission) => firstUse.need(permission, call),
      get granted() {
        return firstUse.granted;
      },
      get isAsking() {
        return firstUse.isAsking;
      },
    },
    asked,
    audited,
    stored,
    answer: async (given) => {
      while (waiting.length === 0) await settled();
      const next = waiting.shift();
      if (given instanceof Error) next?.reject(given);
      else next?.resolve(given);
      await settled();
    },
  };
}

function denied(error: unknown): boolean {
  return error instanceof RpcError && /was not granted/.test(error.message);
}

test('what is granted needs no question', async () => {
  const { firstUse, asked } = setUp();
  await firstUse.need(required);
  assert.equal(asked.length, 0);
});

test('two needs of one permission share a question; those of two are asked one after the other', async () => {
  const { firstUse, asked, answer, stored } = setUp();
  const needs = Promise.all([firstUse.need(one), firstUse.need(one), firstUse.need(two)]);
  await settled();
  assert.equal(asked.length, 1);
  assert.equal(firstUse.isAsking, true);
  await answer('always');
  assert.equal(asked.length, 2);
  await answer('once');
  await needs;
  assert.equal(firstUse.isAsking, false);
  assert.deepEqual(stored, ['network=one.example.com:443']);
  assert.deepEqual(firstUse.granted.map(permissionKey), [
    'network=three.example.com:443',
    'network=one.example.com:443',
    'network=two.example.com:443',
  ]);
});

test('a no is not asked again, and neither is a question that could not be put', async () => {
  for (const given of ['deny', new Error('the terminal is gone')] as const) {
    const { firstUse, asked, answer } = setUp();
    const need = assert.rejects(firstUse.need(one), denied);
    await answer(given);
    await need;
    await assert.rejects(firstUse.need(one), denied);
    assert.equal(asked.length, 1);
  }
});

test('nobody is asked when nobody called, when nobody is there, or when the policy has decided', async () => {
  for (const setting of [
    setUp({ called: false }),
    setUp({ prompts: false }),
    setUp({ policy: { refuse: ['network'] } }),
  ]) {
    await assert.rejects(setting.firstUse.need(one), denied);
    assert.equal(setting.asked.length, 0);
    assert.deepEqual(
      setting.audited.map(({ action }) => action),
      ['refused'],
    );
  }
});

test('the refusal names the entry of the manifest that would cover it, or says that there is none', async () => {
  const { firstUse } = setUp({ prompts: false });
  const https: Permission = { kind: 'network', host: 'https://one.example.com:443' };
  await assert.rejects(firstUse.need(https), /mmm plugin grant hook network=one\.example\.com:443$/);
  await assert.rejects(firstUse.need({ kind: 'network', host: 'four.example.com' }), /manifest does not ask for it\.$/);
});

test('a question that nobody answers is a no after five minutes, counted from when it is shown', async () => {
  const clock = new FakeClock();
  let shown = 0;
  const { ask } = inTurn({ ask: () => new Promise(() => (shown += 1)) }, clock);
  const request = { plugin: 'hook', version: '1.0.0', publisher: null, fingerprint: null, items: [] };
  const [first, second] = [ask(request), ask(request)];
  await settled();
  assert.equal(shown, 1);
  await clock.advance(5 * 60_000);
  assert.equal(await first, 'deny');
  await settled();
  assert.equal(shown, 2);
  await clock.advance(5 * 60_000 - 1);
  assert.equal(await Promise.race([second, Promise.resolve('open')]), 'open');
  await clock.advance(1);
  assert.equal(await second, 'deny');
});
