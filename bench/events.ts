import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createHost, type Host } from '@mmm/host';
import { definePlugin, serve } from '@mmm/plugin-sdk';
import { systemClock } from '@mmm/rpc';
import { EventJournal } from '../packages/host/src/events/journal.ts';
import { openStore } from '../packages/host/src/store/store.ts';
import { median } from './measure.ts';
import type { Bench, Outcome } from './result.ts';

const goalPerSecond = 20_000;
/** As many as one poll of a trigger brings. */
const batch = 1_000;
const batches = 20;
const delivered = 2_000;

/** The journal: events a second in batches that are on the disk, and from an event to the plugin that hears it. */
export async function events(bench: Bench): Promise<Outcome> {
  bench.say(`journal, ${batches} batches of ${batch}`);
  const store = openStore(join(bench.folder, 'journal.db'));
  const journal = new EventJournal({ store: store.events, disk: store.wal, clock: systemClock });
  const perSecond: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    const startedMs = performance.now();
    for (let n = 0; n < batches; n++) {
      await journal.append(
        Array.from({ length: batch }, (_, index) => {
          const origin = { instance: 'one', id: `${round}-${n}-${index}` };
          return { type: 'midi.note', source: 'keys', data: { note: index % 128, velocity: 64 }, origin };
        }),
      );
    }
    perSecond.push((batches * batch) / ((performance.now() - startedMs) / 1000));
  }
  store.close();
  bench.say('emit and deliver');
  const host = await createHost({ home: join(bench.folder, 'home'), searchPath: [] });
  try {
    const { emitUs, deliverPerSecond } = await emitAndDeliver(host);
    const results = [
      { name: 'journal, events in batches of 1000', calls_per_s: Math.round(median(perSecond)) },
      { name: 'emit, one after the other', p50_us: Math.round(median(emitUs)) },
      { name: 'delivery to one plugin in process', calls_per_s: Math.round(deliverPerSecond) },
    ];
    const text = `journal: at least ${goalPerSecond} events/s, so at most ${1e6 / goalPerSecond} us for one`;
    return { results, goals: [{ text, value: 1e6 / median(perSecond), max: 1e6 / goalPerSecond }] };
  } finally {
    await host.close();
  }
}

async function emitAndDeliver(host: Host): Promise<{ readonly emitUs: number[]; readonly deliverPerSecond: number }> {
  const heard = definePlugin({ handleEvent: () => undefined });
  await host.register({
    manifest: {
      schema: 1,
      plugin: { name: 'hears', version: '1.0.0', description: 'Hears', license: 'MIT', command: ['none'] },
      subscriptions: { events: ['bench.*'] },
    },
    serve: (transport) => void serve(heard, transport),
  });
  await host.events.deliver();
  const emitUs: number[] = [];
  for (let n = 0; n < delivered / 10; n++) {
    const startedMs = performance.now();
    await host.emit('other.event', { n });
    emitUs.push((performance.now() - startedMs) * 1000);
  }
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: delivered }, (_, n) => host.emit('bench.event', { n })));
  await host.events.deliver();
  return { emitUs, deliverPerSecond: delivered / ((performance.now() - startedMs) / 1000) };
}
