import type { DoctorCheck } from './api.ts';
import type { EventStore } from './store/event-records.ts';

/** How one plugin gets on with the events that it has subscribed to; nothing for a plugin without subscriptions. */
export function eventsCheck(consumer: string, plugin: string, store: EventStore): readonly DoctorCheck[] {
  const row = store.consumer(consumer);
  if (row === undefined) return [];
  const name = 'events';
  const putBy = store.deadCounts().get(consumer) ?? 0;
  if (putBy > 0) {
    const message = `${putBy} events were put by because it failed to handle them at every try`;
    return [
      { name, status: 'warning', message, fix: `See why, mend it and try again: mmm events dead list ${plugin}` },
    ];
  }
  if (row.expired > 0) {
    const message = `up to ${row.expired} events were dropped, by age or size, before it had handled them`;
    return [{ name, status: 'warning', message, fix: 'Let it run, or keep more: keep_days, journal_mb in [events].' }];
  }
  const behind = Math.max(0, store.head() - row.cursor);
  return [{ name, status: 'ok', message: behind === 0 ? 'none waits for it' : `${behind} wait to be looked at` }];
}

/** What there is to say of the journal of a home. */
export function journalChecks(store: EventStore): readonly DoctorCheck[] {
  const { events, bytes } = store.size();
  const counts = [...store.deadCounts()];
  const putBy = counts.reduce((sum, [, count]) => sum + count, 0);
  const journal = `${events} events, ${(bytes / 1024 / 1024).toFixed(1)} MB`;
  if (putBy === 0) return [{ name: 'event journal', status: 'ok', message: journal }];
  const whose = counts.map(([consumer, count]) => `${consumer} (${count})`).join(', ');
  return [
    {
      name: 'event journal',
      status: 'warning',
      message: `${journal}; put by, because nobody could handle them: ${whose}`,
      fix: 'See why, mend it and try again: mmm events dead list',
    },
  ];
}
