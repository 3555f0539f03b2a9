import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertKept, type Run, runUntil } from '../support/acknowledged.ts';
import { bundledProgram } from '../support/bundled-program.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { traceRefusal } from '../support/traced-faults.ts';

interface Fault {
  /** The file in the home. */
  readonly file: string;
  readonly call: 'pwrite64' | 'write' | 'fsync' | 'fdatasync';
  readonly how: string;
  /** From the how many-th of these calls on. */
  readonly from: number;
  /** Null where nothing is lost and nobody need be told: the log has what could not be moved out of it. */
  readonly told: RegExp | null;
}

const full = /disk is full/;
const failing = /disk reports an error/;
const faults: readonly Fault[] = [
  { file: 'state.db-wal', call: 'pwrite64', how: 'error=ENOSPC', from: 60, told: full },
  { file: 'state.db-wal', call: 'pwrite64', how: 'error=EIO', from: 90, told: failing },
  // A short write of nothing at all: SQLite takes it for a full disk.
  { file: 'state.db-wal', call: 'pwrite64', how: 'retval=0', from: 75, told: full },
  { file: 'state.db-wal', call: 'fdatasync', how: 'error=EIO', from: 3, told: failing },
  { file: 'state.db-wal', call: 'fdatasync', how: 'error=ENOSPC', from: 2, told: full },
  { file: 'state.db', call: 'pwrite64', how: 'error=ENOSPC', from: 1, told: null },
  { file: 'state.db', call: 'pwrite64', how: 'error=EIO', from: 3, told: null },
  { file: 'state.db', call: 'fsync', how: 'error=EIO', from: 1, told: null },
  { file: 'audit/audit.jsonl', call: 'write', how: 'error=ENOSPC', from: 5, told: full },
  { file: 'audit/audit.jsonl', call: 'write', how: 'error=EIO', from: 3, told: failing },
  { file: 'audit/audit.jsonl', call: 'write', how: 'retval=0', from: 4, told: full },
  { file: 'audit/audit.jsonl', call: 'fsync', how: 'error=EIO', from: 4, told: failing },
];

/** Writes after which a fault that ends nothing was met for long: SQLite moves its log after a thousand pages. */
const enough = 700;

function assertTold({ lines, errors, code, signal }: Run, pattern: RegExp, round: string): void {
  const last = lines.at(-1);
  assert.ok(last?.what === 'failed', `${round}: nothing failed in ${lines.length} writes: ${code} ${signal} ${errors}`);
  assert.equal(last.code, 'STATE_UNREADABLE', `${round}: ${last.message}`);
  assert.match(last.message, pattern, round);
}

test('what was acknowledged survives a disk that is full or fails, and the user is told', {
  ...traceRefusal(),
  timeout: 300_000,
}, async (t) => {
  const program = await bundledProgram(t, 'writes-until-killed.ts');
  const more = '[[permissions.state]]\nscope = "global"\nreason = "keeps"\noptional = true\n';
  const { host, home, directory } = await fixtureHost(t, [{ behaviour: 'asks-the-host', more, grant: [] }]);
  await host.close();
  for (const [index, { file, call, how, from, told }] of faults.entries()) {
    const round = `${how} at ${call} ${from} of ${file}`;
    const copy = join(directory, `home-${index}`);
    cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
    const trace = join(directory, `trace-${index}`);
    const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:${how}:when=${from}+`];
    const traced = ['strace', '-f', '-qq', '-o', trace, '-P', join(copy, file), ...inject];
    const limit = told === null ? enough : enough * 100;
    const run = await runUntil([...traced, process.execPath, program, copy, 'asks_the_host'], limit);
    assert.match(readFileSync(trace, 'utf8'), /INJECTED/, `${round}: it was never met`);
    if (told === null)
      assert.notEqual(run.lines.at(-1)?.what, 'failed', `${round}: ${JSON.stringify(run.lines.at(-1))}`);
    else assertTold(run, told, round);
    await assertKept(copy, 'asks_the_host', run, round);
  }
});

test('what was acknowledged survives writes that are cut short', { timeout: 300_000 }, async (t) => {
  const program = await bundledProgram(t, 'writes-until-killed.ts');
  const more = '[[permissions.state]]\nscope = "global"\nreason = "keeps"\noptional = true\n';
  const { host, home, directory } = await fixtureHost(t, [{ behaviour: 'asks-the-host', more, grant: [] }]);
  await host.close();
  for (const [index, bytes] of [300_001, 700_003, 1_500_017].entries()) {
    const round = `files of at most ${bytes} bytes`;
    const copy = join(directory, `home-${index}`);
    cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
    // The kernel writes up to the limit, which is within a page, and refuses the rest.
    const limited = ['prlimit', `--fsize=${bytes}`, process.execPath, program, copy, 'asks_the_host'];
    const run = await runUntil(limited, enough * 100);
    assertTold(run, /disk reports an error|disk is full|too large/, round);
    await assertKept(copy, 'asks_the_host', run, round);
  }
});
