import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { EventJournal, type NewEvent } from '../../packages/host/src/events/journal.ts';
import type { EventStore } from '../../packages/host/src/store/event-records.ts';
import { openStore } from '../../packages/host/src/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { tempFolder } from './temp-folder.ts';

export interface EventWorld {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly store: EventStore;
  readonly journal: EventJournal;
}

/** A journal in a state file of its own, whose disk never waits, under a clock that stands still. */
export function eventWorld(t: Pick<TestContext, 'after'>): EventWorld {
  const folder = tempFolder(t);
  const store = openStore(join(folder, 'state.db'));
  t.after(() => store.close());
  const clock = new FakeClock();
  const disk = { committed: () => undefined, synced: () => Promise.resolve() };
  return { folder, clock, store: store.events, journal: new EventJournal({ store: store.events, disk, clock }) };
}

/** An event without anything special. */
export function happens(type: string, data: unknown = null, more: Partial<NewEvent> = {}): NewEvent {
  return { type, data, source: 'someone', ...more };
}
