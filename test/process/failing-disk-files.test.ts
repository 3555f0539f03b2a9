// Takes half a minute: one process a fault.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, restoreHome } from '@mmm/host';
import { bundledProgram } from '../support/bundled-program.ts';
import { confined } from '../support/confined.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';
import { traceRefusal } from '../support/traced-faults.ts';

interface Stage {
  readonly program: string;
  readonly home: string;
  readonly directory: string;
  readonly publicKeys: readonly string[];
  /** Version 2 of an installed plugin, with a file of some megabytes. */
  readonly update: string;
}

interface Line {
  readonly done?: number;
  readonly result?: unknown;
  readonly failed?: string;
  readonly message?: string;
}

interface Run {
  readonly home: string;
  readonly round: string;
  readonly lines: readonly Line[];
  /** The highest number that was acknowledged. */
  readonly done: number;
  readonly failure: Line | undefined;
  readonly trace: string;
}

interface Fault {
  readonly deed: 'trust' | 'revoke' | 'secret' | 'install' | 'backup' | 'emit' | 'log' | 'daemon';
  /** In the home; every file when absent. */
  readonly file?: string;
  readonly call: 'write' | 'pwrite64' | 'fsync' | 'fdatasync' | '/^rename' | '/^open';
  readonly how: string;
  readonly from: number;
  /** Code and words of the failure; null where nothing may fail at all. */
  readonly told: readonly [code: string, words: RegExp] | null;
}

const storage = 'STATE_UNREADABLE';
const full = 'error=ENOSPC';
const failing = 'error=EIO';
const faults: readonly Fault[] = [
  { deed: 'trust', call: '/^rename', how: full, from: 3, told: [storage, /trust store .* could not.*disk is full/] },
  { deed: 'trust', call: 'fsync', how: failing, from: 4, told: [storage, /disk reports an error/] },
  { deed: 'trust', call: 'fsync', how: full, from: 5, told: [storage, /disk is full/] },
  { deed: 'revoke', call: '/^rename', how: failing, from: 2, told: [storage, /disk reports an error/] },
  { deed: 'secret', call: '/^rename', how: full, from: 3, told: [storage, /secrets .* could not.*disk is full/] },
  { deed: 'secret', call: 'fsync', how: failing, from: 3, told: [storage, /disk reports an error/] },
  { deed: 'install', call: 'fsync', how: full, from: 1, told: [storage, /store .* could not.*disk is full/] },
  { deed: 'install', call: 'fsync', how: failing, from: 3, told: [storage, /disk reports an error/] },
  { deed: 'install', call: '/^rename', how: full, from: 1, told: [storage, /disk is full/] },
  { deed: 'install', call: '/^rename', how: failing, from: 2, told: [storage, /disk reports an error/] },
  { deed: 'backup', call: '/^rename', how: full, from: 2, told: ['BACKUP_INVALID', /ENOSPC/] },
  { deed: 'backup', call: 'fsync', how: failing, from: 4, told: [storage, /disk reports an error/] },
  { deed: 'emit', file: 'state.db-wal', call: 'pwrite64', how: full, from: 30, told: ['answered', /full or fails/] },
  { deed: 'emit', file: 'state.db-wal', call: 'fdatasync', how: failing, from: 4, told: ['answered', /full or fails/] },
  { deed: 'log', file: 'logs/prints_to_stdout.jsonl', call: 'write', how: full, from: 2, told: null },
  { deed: 'log', file: 'logs/prints_to_stdout.jsonl', call: '/^open', how: failing, from: 1, told: null },
  { deed: 'daemon', file: 'logs/mmm.daemon.jsonl', call: 'write', how: full, from: 2, told: null },
  { deed: 'daemon', file: 'run/daemon.json', call: '/^open', how: full, from: 1, told: null },
];

async function stage(t: TestContext): Promise<Stage> {
  const program = await bundledProgram(t, 'does-until-it-fails.ts');
  const place = await fixtureHost(t, [
    'asks-the-host',
    'prints-to-stdout',
    'tells-its-mark',
    {
      behaviour: 'configured',
      more: '[config]\nschema = "config.schema.json"\n',
    },
  ]);
  const { host, home, directory } = place;
  const publicKeys: string[] = [];
  const other = await createHost({ home: join(directory, 'author') });
  t.after(() => other.close());
  for (let number = 1; number <= 12; number += 1) {
    publicKeys.push((await other.keys.create(`author-${number}`)).publicKey);
  }
  const update = copyFixture({ behaviour: 'tells-its-mark' }, join(directory, 'update'));
  const manifest = join(update, 'plugin.toml');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('1.0.0', '2.0.0'));
  writeFileSync(join(update, 'large.bin'), Buffer.alloc(3 * 1024 * 1024, 7));
  await host.sign(update);
  await host.close();
  return { program, home, directory, publicKeys, update };
}

let rounds = 0;

/** Runs the deed on a copy of the home, under whatever `wrap` puts before it. */
async function runDeed(
  staged: Stage,
  deed: Fault['deed'],
  round: string,
  wrap: (home: string, trace: string) => readonly string[],
): Promise<Run> {
  rounds += 1;
  const home = join(staged.directory, `home-${rounds}`);
  const trace = join(staged.directory, `trace-${rounds}`);
  cpSync(staged.home, home, { recursive: true, verbatimSymlinks: true });
  if (deed === 'revoke') await trustAll(home, staged.publicKeys);
  const backups = `${home}-backups`;
  mkdirSync(backups);
  const words = { trust: staged.publicKeys, install: [staged.update], backup: [backups] }[String(deed)] ?? [];
  const [program = '', ...more] = wrap(home, trace);
  const output = await new Promise<string>((resolve) => {
    const { NODE_V8_COVERAGE: _theTests, ...inherited } = process.env;
    // strace counts for each thread by itself.
    const env = { ...inherited, UV_THREADPOOL_SIZE: '1' };
    const argv = [...more, process.execPath, staged.program, home, deed, ...words];
    execFile(program, argv, { timeout: 120_000, env }, (_error, stdout, stderr) => resolve(`${stdout}\n${stderr}`));
  });
  const lines = output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
  assert.ok(lines.length > 0, `${round}: ${output}`);
  const done = Math.max(0, ...lines.map((line) => line.done ?? 0));
  const failure = lines.find(({ failed }) => failed !== undefined);
  return { home, round, lines, done, failure, trace: existsSync(trace) ? readFileSync(trace, 'utf8') : '' };
}

async function trustAll(home: string, publicKeys: readonly string[]): Promise<void> {
  await using host = await createHost({ home });
  for (const [index, publicKey] of publicKeys.entries()) {
    await host.trustKey({ publicKey, name: `key-${index + 1}`, role: 'publisher', scopes: ['*'] });
  }
}

/** Everything that was acknowledged, found by a host that no fault meets. */
const kept: Readonly<Record<Fault['deed'], (run: Run, host: Host, staged: Stage) => unknown>> = {
  trust: ({ done, round }, host) =>
    assertUpTo(
      round,
      done,
      keyNumbers(host, (key) => key.revoked === undefined),
    ),
  revoke: ({ done, round }, host) =>
    assertUpTo(
      round,
      done,
      keyNumbers(host, (key) => key.revoked !== undefined),
    ),
  secret: ({ done, home, round }) => {
    const file = join(home, 'secrets/configured.json');
    if (done === 0 && !existsSync(file)) return;
    const [, number] = /secret number (\d+)"/.exec(readFileSync(file, 'utf8')) ?? [];
    JSON.parse(readFileSync(file, 'utf8'));
    assert.ok([done, done + 1].includes(Number(number)), `${round}: has ${number} after ${done}`);
  },
  install: async ({ done, home, round }, host) => {
    const [version] = (await host.list()).flatMap((one) => (one.id === 'tells_its_mark' ? [one.version] : []));
    assert.ok(done > 0 ? version === '2.0.0' : ['1.0.0', '2.0.0'].includes(version ?? ''), `${round}: ${version}`);
    await host.verify('tells_its_mark');
    for (const place of ['store', 'plugins']) {
      const left = readdirSync(join(home, place)).filter((name) => name.startsWith('.'));
      assert.deepEqual(left, [], `${round}: something is left in ${place}`);
    }
  },
  backup: async ({ done, home, round }) => {
    const files = readdirSync(`${home}-backups`);
    const whole = files.filter((name) => /^\d+\.backup$/.test(name));
    assert.deepEqual(files, whole, `${round}: half a backup is left`);
    assert.ok(whole.length >= done, `${round}: ${whole} after ${done}`);
    const [first] = whole;
    if (first !== undefined) await restoreHome(`${home}-restored`, join(`${home}-backups`, first));
  },
  emit: async ({ lines, round }, host) => {
    const ids = new Set((await host.events.list({ limit: 10_000 })).map(({ id }) => id));
    for (const { done, result } of lines) {
      if (done !== undefined) assert.ok(ids.has((result as { id: string }).id), `${round}: event ${done} is gone`);
    }
  },
  log: ({ lines, round }) => {
    const answers = lines.map(({ result }) => result);
    assert.deepEqual(answers.slice(0, 11), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], `${round}: a call was lost`);
    assert.match(String(answers[11]), /\d+ lines? of .*prints_to_stdout\.jsonl could not be written: the disk/, round);
  },
  daemon: ({ done, round }) => assert.equal(done, 12, `${round}: it stopped`),
};

function keyNumbers(host: Host, is: (key: ReturnType<Host['trust']['list']>[number]) => boolean): readonly number[] {
  return host.trust
    .list()
    .flatMap((key) => (key.name.startsWith('key-') && is(key) ? [Number(key.name.slice(4))] : []));
}

/** What was acknowledged is there, in order; what came after may be. */
function assertUpTo(round: string, done: number, found: readonly number[]): void {
  const all = Array.from({ length: found.length }, (_, index) => index + 1);
  assert.deepEqual(found, all, round);
  assert.ok(found.length === done || found.length === done + 1, `${round}: ${found.length} after ${done}`);
}

async function assertRound(run: Run, { deed, told }: Pick<Fault, 'deed' | 'told'>, staged: Stage): Promise<void> {
  const { failure, round, home } = run;
  if (told === null) assert.equal(failure, undefined, `${round}: ${JSON.stringify(failure)}`);
  else {
    assert.ok(failure !== undefined, `${round}: nothing failed: ${JSON.stringify(run.lines)}`);
    assert.equal(failure.failed, told[0], `${round}: ${failure.message}`);
    assert.match(failure.message ?? '', told[1], round);
  }
  const host = await createHost({ home });
  try {
    await kept[deed](run, host, staged);
    assert.equal(host.audit.verify().problem, undefined, round);
  } finally {
    await host.close();
  }
}

test('each file that a host writes may be on a disk that fails: nothing acknowledged is lost, and it is said', {
  ...confined,
  ...traceRefusal(),
  timeout: 300_000,
}, async (t) => {
  const staged = await stage(t);
  for (const fault of faults) {
    const { deed, file, call, how, from } = fault;
    const round = `${deed}: ${how} at ${call} ${from} of ${file ?? 'any file'}`;
    const run = await runDeed(staged, deed, round, (home, trace) => [
      ...['strace', '-f', '-qq', '-o', trace, ...(file === undefined ? [] : ['-P', join(home, file)])],
      ...['-e', `trace=${call}`, '-e', `inject=${call}:${how}:when=${from}+`],
    ]);
    assert.match(run.trace, /INJECTED/, `${round}: it was never met: ${JSON.stringify(run.lines)}`);
    await assertRound(run, fault, staged);
  }
});

test('writes that are cut short leave no half of a plugin and no half of a backup', {
  ...confined,
  timeout: 120_000,
}, async (t) => {
  const staged = await stage(t);
  const limits = [
    { deed: 'install', bytes: 1_500_017, told: [storage, /EFBIG/] },
    { deed: 'backup', bytes: 1_000_003, told: ['BACKUP_INVALID', /EFBIG|disk I\/O error/] },
  ] as const;
  writeFileSync(join(staged.home, 'keys', 'large.bin'), Buffer.alloc(1024 * 1024));
  for (const { deed, bytes, told } of limits) {
    const round = `${deed}: files of at most ${bytes} bytes`;
    const run = await runDeed(staged, deed, round, () => ['prlimit', `--fsize=${bytes}`]);
    await assertRound(run, { deed, told }, staged);
  }
});
