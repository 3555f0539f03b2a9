// Takes 15 s: both parts of `npm run chaos`, short and with a fixed seed. What depends on the machine's speed counts
// there and not here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { profile } from '../../chaos/profile.ts';
import type { PartReport } from '../../chaos/report.ts';
import { confined } from '../support/confined.ts';
import { hasCompiler } from '../support/native-program.ts';

const options = hasCompiler ? { timeout: 120_000, ...confined } : { skip: 'there is no C compiler here' };

async function chaos(...words: string[]) {
  const program = join(import.meta.dirname, '../../chaos/main.ts');
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', program, ...words], { env });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

async function partOf(part: 1 | 2, ...words: string[]): Promise<PartReport> {
  const { stdout, stderr, code } = await chaos('--part', String(part), '--json', ...words);
  assert.notEqual(stdout, '', `it printed no report and exited with code ${code}:\n${stderr}`);
  const { kept, parts } = JSON.parse(stdout) as { kept: boolean; parts: PartReport[] };
  assert.equal(code, kept ? 0 : 1, 'the exit code says whether every promise was kept');
  const [report] = parts;
  assert.ok(report !== undefined && report.part === part);
  return report;
}

function assertKept({ promises, complaints }: PartReport): void {
  const broken = promises.filter(({ kept, isMeasured }) => !kept && isMeasured !== true);
  assert.deepEqual(broken, [], complaints.join('\n'));
}

test('plugins that die in every way under constant calls cost no call but their own', options, async () => {
  const report = await partOf(1, '--seconds', '6', '--plugins', '6', '--seed', '7');
  assertKept(report);
  const [faults] = report.tables;
  const injected = (faults?.rows ?? []).slice(1).reduce((sum, [, count]) => sum + Number(count), 0);
  assert.equal(injected, 43, 'the plan of a seed is always the same');
});

test('plugins that crash again and again are quarantined, tried once more, and reset', options, async () => {
  assertKept(await partOf(2, '--seconds', '2', '--plugins', '8', '--seed', '7'));
});

test('options that mean nothing are refused', async () => {
  for (const words of [
    ['--seconds', '0'],
    ['--plugins', 'many'],
    ['--part', '3'],
  ]) {
    const { code, stderr } = await chaos(...words);
    assert.equal(code, 2, words.join(' '));
    assert.match(stderr, /takes/);
  }
});

test('the guide has the settings of the first part and a command that is understood', async () => {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/robustness.md'), 'utf8');
  assert.equal(/^```toml\n([\s\S]*?)^```$/m.exec(guide)?.[1], profile);
  const command = /^npm run chaos -- (.*)$/m.exec(guide)?.[1]?.split(' ') ?? [];
  // The last of an option counts, so that nothing of the guide is run and all of it is read.
  const { code, stderr } = await chaos(...command, '--part', '3');
  assert.equal(code, 2);
  assert.match(stderr, /--part takes 1 or 2/);
});
