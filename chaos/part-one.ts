import { readFileSync } from 'node:fs';
import { systemClock } from '@mmm/rpc';
import { pluginProcesses } from '../scripts/plugin-processes.ts';
import { callConstantly, callOnce, taggedBy } from './callers.ts';
import { faultNames } from './faults.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { Injector } from './injector.ts';
import { Ledger } from './ledger.ts';
import { type PlannedFault, plan } from './plan.ts';
import { profile } from './profile.ts';
import type { PartReport, Promised, Table } from './report.ts';
import { type Trend, Watch, type Watched } from './watch.ts';

export interface PartOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly seconds: number;
  readonly seed: number;
  readonly plugins: number;
  /** Tells people what is going on. */
  say(text: string): void;
}

/** A little above what is promised, so that the last ones need not come in the last moment. */
const faultsPerSecond = 7.2;
/** 2,000 in five minutes. */
const promisedPerSecond = 2000 / 300;
const lagP99MaxMs = 50;
const growthMax = 0.1;

/** Plugins under constant calls and constant faults. */
export async function partOne(options: PartOptions): Promise<PartReport> {
  const { folder, seconds, seed, plugins, say } = options;
  const fleet = await openFleet({ folder, plugins, settings: profile });
  const ledger = new Ledger();
  const injector = new Injector(fleet.plugins, ledger);
  const planned = plan({ seed, seconds, plugins, faultsPerSecond });
  let watched: Watched;
  try {
    say(`starting ${plugins} plugins: ${fleet.languages}`);
    await Promise.all(fleet.plugins.map((plugin) => plugin.start()));
    say(`${planned.length} faults in ${seconds} s`);
    watched = await torment(fleet, ledger, injector, planned, options);
    say('asking every plugin once more');
    const tag = taggedBy('afterwards');
    await Promise.all(fleet.plugins.map((plugin) => callOnce(plugin, 'once', tag(), ledger)));
  } finally {
    await fleet.host.close();
  }
  return {
    part: 1,
    summary:
      `${plugins} plugins (${fleet.languages}), ${planned.length} faults in ${seconds} s, seed ${seed}; ` +
      'quarantine off, backoff at most 50 ms, silence of 1 s is asked about and of another 1 s ended.',
    tables: [faultTable(injector), outcomeTable(ledger)],
    promises: promisesOf(fleet, ledger, injector, watched, options),
    complaints: ledger.complaints,
  };
}

async function torment(
  fleet: Fleet,
  ledger: Ledger,
  injector: Injector,
  planned: readonly PlannedFault[],
  { seconds, seed }: PartOptions,
): Promise<Watched> {
  const over = new AbortController();
  const calls = callConstantly(fleet.plugins, ledger, seed, over.signal);
  const watch = new Watch(seconds);
  await Promise.all([injector.run(planned), systemClock.sleep(seconds * 1000)]);
  over.abort();
  const watched = watch.end();
  await calls;
  return watched;
}

function promisesOf(
  fleet: Fleet,
  ledger: Ledger,
  { tally }: Injector,
  { lagP99Ms, lagMaxMs, ownLagP99Ms, heap, resident }: Watched,
  { seconds }: PartOptions,
): Promised[] {
  const { made, settled, answered, broken } = ledger.totals;
  const injected = faultNames.reduce((sum, name) => sum + tally[name].injected, 0);
  const survived = faultNames.reduce((sum, name) => sum + tally[name].survived, 0);
  const repeated = repeatedCalls(fleet);
  const left = pluginProcesses(new Set(fleet.plugins.map(({ id }) => id)));
  return [
    {
      promise: 'faults enough',
      kept: injected >= Math.floor(promisedPerSecond * seconds),
      seen: `${injected} injected, 2,000 in 300 s are promised`,
    },
    {
      promise: 'every fault ended as it must and was named by its cause',
      kept: survived === injected,
      seen: `${survived} of ${injected}`,
    },
    {
      promise: 'every call settled once, with its own answer or with its cause',
      kept: settled === made && broken === 0,
      seen: `${made} made, ${settled} settled, ${answered} answered, ${broken} complaints`,
    },
    {
      promise: 'no call was done twice, except once more where its capability allows it',
      kept: repeated === undefined,
      seen: repeated ?? 'none',
    },
    { promise: 'no process is left', kept: left.length === 0, seen: `${left.length} left` },
    trendPromise('heap after a collection', heap),
    trendPromise('resident memory', resident),
    {
      promise: `the event loop is late by at most ${lagP99MaxMs} ms at p99`,
      kept: lagP99Ms <= lagP99MaxMs,
      seen: `${lagP99Ms.toFixed(1)} ms (${ownLagP99Ms.toFixed(1)} ms of its own work), once ${lagMaxMs.toFixed(0)} ms`,
      isMeasured: true,
    },
  ];
}

/** The last tenth against the second one: the first is warming up. */
function trendPromise(what: string, { earlyMb, lateMb }: Trend): Promised {
  const percent = (lateMb / earlyMb - 1) * 100;
  return {
    promise: `${what} does not grow by more than ${growthMax * 100} % from the second to the last tenth`,
    kept: percent <= growthMax * 100,
    seen: `${earlyMb.toFixed(1)} MB, then ${lateMb.toFixed(1)} MB (${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %)`,
    isMeasured: true,
  };
}

/** What the plugins wrote down themselves: a call that another process did once more. */
function repeatedCalls(fleet: Fleet): string | undefined {
  for (const plugin of fleet.plugins) {
    const times = new Map<string, number>();
    for (const tag of readFileSync(fleet.executedFile(plugin), 'utf8').split('\n')) {
      if (tag !== '') times.set(tag, (times.get(tag) ?? 0) + 1);
    }
    const wrong = [...times].find(([tag, count]) => count > (tag.startsWith('again') ? 2 : 1));
    if (wrong !== undefined) return `${plugin.id} did ${wrong[0]} ${wrong[1]} times`;
  }
  return undefined;
}

function faultTable({ tally }: Injector): Table {
  const rows = faultNames.map((name) => [name, tally[name].injected, tally[name].survived]);
  return { title: 'What was done to them', rows: [['fault', 'injected', 'survived'], ...rows] };
}

export function outcomeTable(ledger: Ledger): Table {
  return { title: 'How calls ended', rows: [['outcome', 'calls'], ...ledger.outcomes] };
}
