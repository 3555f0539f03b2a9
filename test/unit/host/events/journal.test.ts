import assert from 'node:assert/strict';
import test from 'node:test';
import { EventJournal } from '../../../../packages/host/src/events/journal.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { eventWorld, happens } from '../../../support/event-world.ts';

test('events get places in the order in which they are appended, whoever appends them', async (t) => {
  const { journal } = eventWorld(t);
  const [one, two] = await Promise.all([
    journal.append([happens('a.one'), happens('a.two')]),
    journal.append([happens('b.one', { x: 1 })]),
  ]);
  assert.deepEqual(
    [...one, ...two].map(({ seq }) => seq),
    [1, 2, 3],
  );
  const [event] = journal.list({ afterSeq: 2, limit: 10 });
  assert.deepEqual(event, {
    ...{ seq: 3, id: two[0]?.id, type: 'b.one', data: { x: 1 }, source: 'someone' },
    ...{ timestamp: '2026-01-01T00:00:00.000Z', instance: null, depth: 0, asked: false },
  });
  assert.equal(journal.head(), 3);
});

test('what is appended in one turn is one transaction and one sync', async (t) => {
  const { store, clock } = eventWorld(t);
  let commits = 0;
  const committed = (): void => {
    commits += 1;
  };
  const disk = { committed, synced: () => Promise.resolve() };
  const journal = new EventJournal({ store, disk, clock });
  await Promise.all(Array.from({ length: 100 }, () => journal.append([happens('a.one')])));
  assert.equal(commits, 1);
  assert.equal(journal.head(), 100);
});

test('nothing is acknowledged or announced before it is on the disk', async (t) => {
  const { store, clock } = eventWorld(t);
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  const journal = new EventJournal({ store, disk: { committed: () => undefined, synced: () => promise }, clock });
  const seen: string[] = [];
  journal.onAppended(() => seen.push('announced'));
  const appended = journal.append([happens('a.one')]).then(() => seen.push('acknowledged'));
  await new Promise<void>((done) => clock.immediate(() => clock.immediate(done)));
  assert.deepEqual(seen, []);
  resolve();
  await appended;
  assert.deepEqual(seen.toSorted(), ['acknowledged', 'announced']);
});

test('a disk that fails is told to everybody whose event it had', async (t) => {
  const { store, clock } = eventWorld(t);
  const disk = { committed: () => undefined, synced: () => Promise.reject(new Error('EIO')) };
  const journal = new EventJournal({ store, disk, clock });
  for (const failed of await Promise.allSettled([journal.append([happens('a.b')]), journal.append([happens('a.c')])])) {
    assert.equal(failed.status, 'rejected');
    assert.equal((failed.reason as { code: string }).code, 'STATE_UNREADABLE');
  }
});

test('what a trigger told already is not told again, and keeps its id', async (t) => {
  const { journal, store } = eventWorld(t);
  const tick = (id: string, instance = 'one', source = 'timer') => {
    return happens('timer.tick', null, { source, origin: { instance, id } });
  };
  const first = await journal.append([tick('1'), tick('2')]);
  const again = await journal.append([tick('2'), tick('3'), tick('2', 'two'), tick('2', 'one', 'other')]);
  assert.deepEqual(
    again.map(({ isNew }) => isNew),
    [false, true, true, true],
  );
  assert.equal(again[0]?.id, first[1]?.id);
  assert.equal(store.size().events, 5);
});

test('data over the limit is refused before anything is stored', async (t) => {
  const { journal } = eventWorld(t);
  const large = 'x'.repeat(hostLimits.eventBytes);
  await assert.rejects(journal.append([happens('a.one'), happens('a.two', large)]), { code: 'MESSAGE_TOO_LARGE' });
  assert.equal(journal.head(), 0);
  await journal.append([happens('a.one', 'x'.repeat(hostLimits.eventBytes - 2))]);
});

test('a place is never given twice, also when everything was dropped', async (t) => {
  const { journal, store } = eventWorld(t);
  await journal.append([happens('a.one'), happens('a.two')]);
  assert.equal(store.drop(2, Number.MAX_SAFE_INTEGER, 10), 2);
  assert.deepEqual(store.size(), { events: 0, bytes: 0 });
  assert.equal((await journal.append([happens('a.three')]))[0]?.seq, 3);
});
