import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DatabaseSync } from '@photostructure/sqlite';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { StateRefusal } from '../../../../packages/host/src/state/refusal.ts';
import { spaceOf } from '../../../../packages/host/src/state/spaces.ts';
import { type StateOperation, States } from '../../../../packages/host/src/state/states.ts';
import type { StateSpace, StateWriter } from '../../../../packages/host/src/store/state-values.ts';
import { openStore, type Store } from '../../../../packages/host/src/store/store.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const anna: StateWriter = { plugin: 'anna', publisher: 'a1' };
const bert: StateWriter = { plugin: 'bert', publisher: 'b1' };
const own = spaceOf('plugin', anna, undefined);
const shared = spaceOf('global', anna, undefined);

function opened(t: TestContext): { readonly store: Store; readonly states: States; readonly file: string } {
  const file = join(tempFolder(t), 'state.db');
  const store = openStore(file);
  t.after(() => store.close());
  return { store, states: new States(store), file };
}

function set(key: string, value: unknown, ifVersion?: number): StateOperation {
  return { op: 'set', key, value, ifVersion };
}

function refused(kind: string, details: Readonly<Record<string, unknown>>) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof StateRefusal, String(error));
    assert.equal(error.kind, kind);
    for (const [name, value] of Object.entries(details)) assert.deepEqual(error.details[name], value, name);
    return true;
  };
}

test('a value comes back as it was set, whatever JSON it is, and an absent one has version 0', async (t) => {
  const { states } = opened(t);
  assert.deepEqual(await states.get(own, 'nothing'), { value: null, version: 0 });
  for (const value of [null, 0, '', 'ü\u0000\ud800', [], { __proto__: null, a: { b: [1.5, true] } }]) {
    await states.update(own, [set('key', value)], anna);
    assert.deepEqual((await states.get(own, 'key')).value, JSON.parse(JSON.stringify(value)));
  }
});

test('versions count from 1, and none is used twice, also after the key was deleted', async (t) => {
  const { states } = opened(t);
  assert.deepEqual(await states.update(own, [set('k', 1)], anna), [1]);
  assert.deepEqual(await states.update(own, [set('k', 2)], anna), [2]);
  assert.deepEqual(await states.update(own, [{ op: 'delete', key: 'k' }], anna), [0]);
  assert.deepEqual(await states.get(own, 'k'), { value: null, version: 0 });
  assert.deepEqual(await states.update(own, [set('k', 3, 0)], anna), [3]);
  // Somebody who read version 2 before the deletion does not overwrite what came after it.
  await assert.rejects(states.update(own, [set('k', 4, 2)], anna), refused('conflict', { key: 'k', version: 3 }));
  assert.deepEqual(await states.get(own, 'k'), { value: 3, version: 3 });
  assert.deepEqual(await states.update(own, [set('other', 1)], anna), [1]);
  // Not even when so many were deleted that they are no longer remembered one by one.
  const keys = Array.from({ length: hostLimits.stateKeysForgotten + 1 }, (_, index) => `deleted ${index}`);
  await states.update(
    own,
    [...keys, 'k'].map((key) => set(key, 1)),
    anna,
  );
  await states.update(
    own,
    [...keys, 'k'].map((key) => ({ op: 'delete', key })),
    anna,
  );
  assert.deepEqual(await states.update(own, [set('k', 5), set('fresh', 1)], anna), [5, 2]);
});

test('a change is made whole or not at all, and later operations see what earlier ones did', async (t) => {
  const { states } = opened(t);
  await states.update(own, [set('a', 1), set('b', 1)], anna);
  const failing = [set('a', 2), { op: 'delete', key: 'b' } as const, { op: 'check', key: 'b', ifVersion: 1 } as const];
  await assert.rejects(states.update(own, failing, anna), refused('conflict', { key: 'b', version: 0 }));
  assert.deepEqual(await states.get(own, 'a'), { value: 1, version: 1 });
  assert.deepEqual(await states.get(own, 'b'), { value: 1, version: 1 });
  const whole = [{ op: 'check', key: 'a', ifVersion: 1 } as const, set('a', 2), set('a', 3, 2)];
  assert.deepEqual(await states.update(own, whole, anna), [1, 2, 3]);
});

test('keys are listed by prefix in the order of their bytes, and a prefix is not a pattern', async (t) => {
  const { states } = opened(t);
  const keys = ['a', 'a%b', 'a*', 'a_b', 'ab', 'aÿ', 'a\u{10ffff}x', 'b', 'ä'];
  await states.update(
    own,
    keys.map((key) => set(key, 1)),
    anna,
  );
  const listed = async (prefix: string) => (await states.list(own, prefix)).map(({ key }) => key);
  assert.deepEqual(await listed(''), keys);
  assert.deepEqual(await listed('a'), keys.slice(0, 7));
  assert.deepEqual(await listed('a%'), ['a%b']);
  assert.deepEqual(await listed('a\u{10ffff}'), ['a\u{10ffff}x']);
  assert.deepEqual(await listed('c'), []);
});

test('what one plugin keeps of its own no other plugin sees, nor the same name by another publisher', async (t) => {
  const { states } = opened(t);
  await states.update(own, [set('k', 'annas')], anna);
  for (const other of [bert, { plugin: 'anna', publisher: 'a2' }]) {
    assert.equal((await states.get(spaceOf('plugin', other, undefined), 'k')).version, 0);
  }
  await states.update(shared, [set('k', 'for all')], anna);
  assert.equal((await states.get(spaceOf('global', bert, undefined), 'k')).value, 'for all');
  await states.update(spaceOf('project', anna, '/srv/one'), [set('k', 'of one')], anna);
  assert.equal((await states.get(spaceOf('project', bert, '/srv/one'), 'k')).value, 'of one');
  assert.equal((await states.get(spaceOf('project', bert, '/srv/two'), 'k')).version, 0);
  assert.throws(() => spaceOf('project', anna, undefined), refused('invalid', {}));
});

test('a value, and bytes and keys of one plugin in one scope are bounded, and less is always allowed', async (t) => {
  const { states, store } = opened(t);
  const { stateValueBytes, stateBytes, stateKeys } = hostLimits;
  await assert.rejects(
    states.update(own, [set('k', 'x'.repeat(stateValueBytes - 1))], anna),
    refused('quota', { bytesMax: stateValueBytes }),
  );
  const large = 'x'.repeat(stateValueBytes - 2);
  for (let count = 0; count < stateBytes / stateValueBytes - 1; count += 1) {
    await states.update(own, [set(`k${count}`, large)], anna);
  }
  await assert.rejects(states.update(own, [set('more', large)], anna), refused('quota', { bytesMax: stateBytes }));
  assert.equal((await states.get(own, 'more')).version, 0);
  await states.update(own, [set('k0', 1)], anna);
  await states.update(own, [set('more', large)], anna);
  // Another scope and another plugin have room of their own.
  await states.update(shared, [set('k', large)], anna);
  await states.update(spaceOf('plugin', bert, undefined), [set('k', large)], bert);
  store.values.together(() => {
    for (let count = 0; count < stateKeys; count += 1) store.values.set(shared, `n${count}`, '1', bert);
  });
  await assert.rejects(states.update(shared, [set('more', 1)], bert), refused('quota', { keysMax: stateKeys }));
  await states.update(shared, [set('n0', 2)], bert);
  await states.update(shared, [{ op: 'delete', key: 'n0' }, set('more', 1)], bert);
});

test('what is used is what is there, whoever wrote, overwrote, deleted and inherited it', async (t) => {
  const { states, store, file } = opened(t);
  const writers = [anna, bert, { plugin: 'anna', publisher: 'a2' }];
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let round = 0; round < 300; round += 1) {
    const writer = writers[random(3)] ?? anna;
    const space: StateSpace = random(2) === 0 ? shared : spaceOf('plugin', writer, undefined);
    const key = `k${random(8)}`;
    const operation = random(4) === 0 ? ({ op: 'delete', key } as const) : set(key, 'x'.repeat(random(20)));
    await states.update(space, [operation], writer);
  }
  store.values.refile('a2', 'a1');
  store.values.removeAll('bert');
  const database = new DatabaseSync(file);
  t.after(() => database.close());
  const counted = database.prepare('SELECT * FROM state_use ORDER BY writer, writer_publisher, scope, owner').all();
  const there = database
    .prepare(
      `SELECT writer, writer_publisher, scope, owner, count(*) AS keys,
        sum(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))) AS bytes
      FROM state_values GROUP BY writer, writer_publisher, scope, owner
      ORDER BY writer, writer_publisher, scope, owner`,
    )
    .all();
  assert.ok(there.length >= 3);
  assert.deepEqual(counted, there);
  assert.deepEqual(states.use('bert'), { keys: 0, bytes: 0 });
  assert.deepEqual(database.prepare("SELECT * FROM state_values WHERE publisher = 'a2'").all(), []);
});

test('a key that cannot be stored as it is is refused, and so is a value that JSON has not', async (t) => {
  const { states } = opened(t);
  for (const key of ['a\0b', 'a\ud800']) {
    await assert.rejects(states.update(own, [set(key, 1)], anna), refused('invalid', {}), JSON.stringify(key));
  }
  for (const value of [undefined, () => 1]) {
    await assert.rejects(states.update(own, [set('k', value)], anna), refused('invalid', {}));
  }
});
