import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { CrashMemories } from '../../../../packages/host/src/store/crash-memory.ts';
import { type CrashRecord, openStore } from '../../../../packages/host/src/store/store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const quarantined: CrashRecord = {
  state: 'quarantined',
  untilMs: 17,
  crashes: [],
  cause: { code: 'PLUGIN_EXITED', message: 'It ended.', data: { plugin: 'p' } },
};

test('A record is read back at once, stored soon, and known to another host', async (t) => {
  const file = join(tempFolder(t), 'state.db');
  const [store, other] = [openStore(file), openStore(file)];
  t.after(() => {
    store.close();
    other.close();
  });
  const clock = new FakeClock();
  const memories = new CrashMemories(store.crashes, clock);
  memories.of('p').write(quarantined);
  assert.deepEqual(memories.of('p').read(), quarantined);
  assert.deepEqual([...memories.quarantined()], ['p']);
  assert.equal(other.crashes.read('p'), undefined, 'no restart waits for the disk');
  await clock.advance(hostLimits.metricsFlushMs);
  assert.deepEqual(other.crashes.read('p'), quarantined);
  assert.equal(clock.waiting, 0);

  memories.of('p').write(undefined);
  assert.equal(memories.of('p').read(), undefined);
  assert.deepEqual([...memories.quarantined()], []);
  memories.flush();
  assert.equal(other.crashes.read('p'), undefined);
});

test('What is to be forgotten is forgotten at once, also what was not stored yet', (t) => {
  const store = openStore(join(tempFolder(t), 'state.db'));
  t.after(() => store.close());
  const memories = new CrashMemories(store.crashes, new FakeClock());
  memories.of('p').write(quarantined);
  memories.flush();
  memories.of('p').write({ ...quarantined, untilMs: 18 });
  memories.forget('p');
  memories.flush();
  assert.equal(store.crashes.read('p'), undefined);
});

test('A store that fails costs the record and nothing else', (t) => {
  const store = openStore(join(tempFolder(t), 'state.db'));
  const memories = new CrashMemories(store.crashes, new FakeClock());
  memories.of('p').write(quarantined);
  store.close();
  memories.flush();
});
