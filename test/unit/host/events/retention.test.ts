import assert from 'node:assert/strict';
import test from 'node:test';
import { dropOldEvents } from '../../../../packages/host/src/events/retention.ts';
import { eventWorld, happens } from '../../../support/event-world.ts';

const day = 24 * 60 * 60_000;
const retention = { days: 7, unhandledDays: 30, journalBytes: 1024 * 1024 };

test('what everybody has handled goes after a week, what somebody has not after a month', async (t) => {
  const { journal, store, clock } = eventWorld(t);
  store.openConsumer('slow');
  await journal.append([happens('a.one'), happens('a.two')]);
  store.moveCursors(new Map([['slow', 1]]));
  await clock.advance(6 * day);
  dropOldEvents(store, retention, clock.now());
  assert.equal(store.size().events, 2);
  await clock.advance(2 * day);
  dropOldEvents(store, retention, clock.now());
  assert.deepEqual(
    store.list({ afterSeq: 0, limit: 10 }).map(({ type }) => type),
    ['a.two'],
  );
  assert.equal(store.consumer('slow')?.expired, 0);
  await clock.advance(23 * day);
  dropOldEvents(store, retention, clock.now());
  assert.equal(store.size().events, 0);
  assert.deepEqual(store.consumer('slow'), { consumer: 'slow', cursor: 2, expired: 1 });
});

test('a journal over its size loses its oldest events, and who missed them is counted', async (t) => {
  const { journal, store, clock } = eventWorld(t);
  store.openConsumer('away');
  await journal.append(Array.from({ length: 30 }, (_, n) => happens('a.big', 'x'.repeat(100_000), { depth: n % 8 })));
  assert.ok(store.size().bytes > retention.journalBytes);
  while (dropOldEvents(store, retention, clock.now()));
  const { events, bytes } = store.size();
  assert.ok(bytes <= retention.journalBytes, String(bytes));
  assert.equal(store.consumer('away')?.expired, 30 - events);
  assert.equal(journal.head(), 30);
});
