// `npm run bench -- [--only group,group] [--quick] [--json]`: measures what is built, with all that it is compared with
// in the same run. The numbers count only when the machine does nothing else.

import { mkdtempSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sealDescriptors } from '@mmm/host';
import { removeTree } from '../scripts/remove-tree.ts';
import { coldStart } from './cold-start.ts';
import { crashRecovery } from './crash.ts';
import { daemon } from './daemon.ts';
import { discovery } from './discovery.ts';
import { events } from './events.ts';
import { installation } from './install.ts';
import { loadOverhead } from './load.ts';
import { load } from './measure.ts';
import { neighbours } from './neighbours.ts';
import { orphans } from './orphans.ts';
import { proxied } from './proxy.ts';
import { reload } from './reload.ts';
import type { Bench, Goal, Outcome, Result } from './result.ts';
import { roundTrip } from './round-trip.ts';
import { scale } from './scale.ts';
import { stops } from './stops.ts';
import { trigger } from './trigger.ts';

// The bench is the whole process: what its shell left open is closed, as the command does, and not handed to plugins.
sealDescriptors();

const groups: Readonly<Record<string, (bench: Bench) => Promise<Outcome>>> = {
  'round-trip': roundTrip,
  load: loadOverhead,
  proxy: proxied,
  crash: crashRecovery,
  discovery,
  'cold-start': coldStart,
  neighbours,
  scale,
  orphans,
  stops,
  install: installation,
  daemon,
  events,
  reload,
  trigger,
};
const rounds = { usual: 30, quick: 5 } as const;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const chosen = values.only?.split(',') ?? Object.keys(groups);
const unknown = chosen.filter((name) => groups[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}. --only takes: ${Object.keys(groups).join(', ')}.`);
  process.exit(2);
}

const loadBefore = load();
const results: Result[] = [];
const goals: Goal[] = [];
for (const name of chosen) {
  const folder = mkdtempSync(join(tmpdir(), 'mmm-bench-'));
  try {
    const outcome = await groups[name]?.({
      folder,
      rounds: values.quick ? rounds.quick : rounds.usual,
      say: (text) => console.error(`bench: ${text}`),
    });
    results.push(...(outcome?.results ?? []));
    goals.push(...(outcome?.goals ?? []));
  } finally {
    removeTree(folder);
  }
}
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memory_gb: Math.round(totalmem() / 1024 ** 3),
  kernel: release(),
  node: process.version,
  load_before: loadBefore,
  load_after: load(),
};
if (values.json) {
  console.log(JSON.stringify({ machine, results }));
} else {
  printTable(results);
  console.log(
    `\n${machine.cores} × ${machine.cpu}, ${machine.memory_gb} GB, Linux ${machine.kernel}, Node ${machine.node}; ` +
      `load ${machine.load_before} before, ${machine.load_after} after.\n`,
  );
  for (const { text, value, max } of goals) {
    console.log(`${value <= max ? 'reached' : 'MISSED '}  ${value.toFixed(2)}  ${text}`);
  }
}

function printTable(rows: readonly Result[]): void {
  const columns = [
    'name',
    'size',
    'p50_us',
    'p99_us',
    'calls_per_s',
    'ratio_to_pipe',
    'p50_ms',
    'p99_ms',
    'overhead_ms',
    'kb',
    'cpu_percent',
  ];
  const used = columns.filter((column) => rows.some((row) => column in row));
  const cells = [used, ...rows.map((row) => used.map((column) => String(row[column as keyof Result] ?? '')))];
  const widths = used.map((_column, index) => Math.max(...cells.map((row) => (row[index] ?? '').length)));
  for (const row of cells) {
    const padded = row.map((cell, index) =>
      index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
    );
    console.log(padded.join('  '));
  }
}
