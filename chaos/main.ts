// `npm run chaos -- [--seconds N] [--seed S] [--plugins N] [--part 1|2] [--json]`: torments plugins under load, prints
// what was done to them and what the host promised meanwhile. Exit code 1 when a promise was broken.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sealDescriptors } from '@mmm/host';
import { removeTree } from '../scripts/remove-tree.ts';
import { type PartOptions, partOne } from './part-one.ts';
import { partTwo } from './part-two.ts';
import { machine, type PartReport, reportText } from './report.ts';

// This is the whole process: what its shell left open is closed, as the command does, and not handed to plugins.
sealDescriptors();

const parts = { '1': partOne, '2': partTwo } as const;
/** The second part is as long as it has to be, whatever the first one is given. */
const secondPartMaxSeconds = 60;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    plugins: { type: 'string', default: '20' },
    part: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = wholeNumber('seconds', 1, 24 * 60 * 60);
const seed = wholeNumber('seed', 0, 2 ** 32 - 1);
const plugins = wholeNumber('plugins', 4, 200);
const chosen = values.part === undefined ? (['1', '2'] as const) : [partNamed(values.part)];

const before = machine();
const reports: PartReport[] = [];
for (const name of chosen) {
  const folder = mkdtempSync(join(tmpdir(), 'mmm-chaos-'));
  try {
    const options: PartOptions = {
      folder,
      seconds: name === '2' ? Math.min(seconds, secondPartMaxSeconds) : seconds,
      seed,
      plugins,
      say: (text) => console.error(`chaos: ${text}`),
    };
    reports.push(await parts[name](options));
  } finally {
    removeTree(folder);
  }
}
const kept = reports.every(({ promises }) => promises.every((promise) => promise.kept));
if (values.json) {
  const { load: loadAfter } = machine();
  console.log(JSON.stringify({ machine: { ...before, load_after: loadAfter }, kept, parts: reports }));
} else {
  for (const report of reports) console.log(reportText(report));
  const { cores, cpu, kernel, node, load } = before;
  console.log(`${cores} × ${cpu}, Linux ${kernel}, Node ${node}; load ${load} before, ${machine().load} after.`);
  console.log(kept ? 'Every promise was kept.' : 'A promise was BROKEN.');
}
process.exitCode = kept ? 0 : 1;

function wholeNumber(name: 'seconds' | 'seed' | 'plugins', least: number, most: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  return usage(`--${name} takes a whole number from ${least} to ${most}, not "${values[name]}".`);
}

function partNamed(name: string): keyof typeof parts {
  return name === '1' || name === '2' ? name : usage(`--part takes 1 or 2, not "${name}".`);
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
