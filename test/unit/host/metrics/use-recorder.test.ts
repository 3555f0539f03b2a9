import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { UseRecorder } from '../../../../packages/host/src/metrics/use-recorder.ts';
import { openStore } from '../../../../packages/host/src/store/store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

function setUp(t: TestContext) {
  const store = openStore(join(tempFolder(t), 'state.db'));
  t.after(() => store.close());
  const clock = new FakeClock('2026-01-01T00:00:00.000Z');
  return { store, clock, uses: new UseRecorder(store.permissionUses, clock) };
}

test('uses and denials are added up, with the time of the last of each', async (t) => {
  const { store, clock, uses } = setUp(t);
  uses.used('hook', 'network=a.test:443');
  await clock.advance(5000);
  uses.used('hook', 'network=a.test:443');
  uses.denied('hook', 'network=b.test:443');
  uses.flush();
  await clock.advance(5000);
  uses.denied('hook', 'network=a.test:443');
  uses.flush();
  const start = Date.parse('2026-01-01T00:00:00.000Z');
  assert.deepEqual(store.permissionUses.list('hook'), [
    { key: 'network=a.test:443', uses: 2, lastUsedMs: start + 5000, denials: 1, lastDeniedMs: start + 10_000 },
    { key: 'network=b.test:443', uses: 0, lastUsedMs: null, denials: 1, lastDeniedMs: start + 5000 },
  ]);
});

test('what was counted is stored by itself within a second', async (t) => {
  const { store, clock, uses } = setUp(t);
  uses.used('hook', 'network=a.test:443');
  assert.deepEqual(store.permissionUses.list('hook'), []);
  await clock.advance(1000);
  assert.equal(store.permissionUses.list('hook')[0]?.uses, 1);
});

test('a plugin that asks for ever new hosts fills neither memory nor disk', (t) => {
  const { store, uses } = setUp(t);
  uses.used('hook', 'network=used.test:443');
  for (let number = 0; number < 10_000; number += 1) {
    uses.denied('hook', `network=h${number}.test:443`);
    if (number % 1000 === 0) uses.flush();
  }
  uses.used('other', 'network=a.test:443');
  uses.flush();
  assert.ok(store.permissionUses.list('hook').some(({ key }) => key === 'network=used.test:443'));
  assert.equal(store.permissionUses.list('hook').length, 400);
  assert.equal(store.permissionUses.list('other').length, 1);
});

test('what cannot be stored is kept for the next time', (t) => {
  const { store, clock } = setUp(t);
  let isFull = true;
  const failing = {
    ...{ list: () => [], removeAll: () => undefined },
    add: (...given: Parameters<typeof store.permissionUses.add>) => {
      if (isFull) throw new Error('the disk is full');
      store.permissionUses.add(...given);
    },
  };
  const uses = new UseRecorder(failing, clock);
  uses.used('hook', 'network=a.test:443');
  uses.flush();
  isFull = false;
  uses.used('hook', 'network=a.test:443');
  uses.flush();
  assert.equal(store.permissionUses.list('hook')[0]?.uses, 2);
});
