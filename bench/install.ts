import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ContentStore, KeyRing, SignatureMemo, TrustStore } from '@mmm/bundle';
import { createHost, type Host, readSpec } from '@mmm/host';
import { verify } from '../packages/host/src/verify/verify.ts';
import { removeTree } from '../scripts/remove-tree.ts';
import { interleave, median, medianRatio, quantile, timeMs } from './measure.ts';
import { environment } from './programs.ts';
import type { Bench, Outcome, Result } from './result.ts';
import { writePlugin } from './stage.ts';

const run = promisify(execFile);
const files = 100;
const fileBytes = 512 * 1024;
/** A launch verifies some files: what is measured is the mean of so many, for a clock's grain is coarser than one. */
const launches = 20;
const ratioMax = 2;
const launchMaxMs = 2;

/** One way to turn an archive of 50 MB into checked files. */
interface Way {
  readonly name: string;
  run(round: number): Promise<number>;
}

/**
 * Installs a plugin of 50 MB from an archive, against what the shell needs to unpack and hash the same one; then what a
 * launch of an installed plugin takes to make sure that it is still the same.
 */
export async function installation(bench: Bench): Promise<Outcome> {
  const archive = await writeLargeArchive(bench.folder);
  const ways: readonly Way[] = [
    { name: 'tar xzf and sha256sum, 50 MB', run: (round) => unpackInShell(bench.folder, archive, round) },
    { name: 'install of an archive, 50 MB', run: (round) => installFresh(bench.folder, archive, round) },
  ];
  bench.say(`installations of 50 MB, ${bench.rounds} rounds`);
  const values = await interleave(ways, bench.rounds, (way, round) => way.run(round));
  const ratio = medianRatio(values[1] ?? [], values[0] ?? []);
  bench.say(`launch verifications, ${bench.rounds} rounds`);
  const small = await launchVerification(bench, 'small');
  const large = await launchVerification(bench, 'large');
  return {
    results: [
      ...ways.map(({ name }, index) => row(name, values[index] ?? [])),
      row('launch verification, 2 files', small),
      row('launch verification, 50 MB in 102 files', large),
    ],
    goals: [
      {
        text: `install of 50 MB: at most ${ratioMax} times tar xzf and sha256sum of the same`,
        value: ratio,
        max: ratioMax,
      },
      { text: `memoised launch verification: at most ${launchMaxMs} ms`, value: median(small), max: launchMaxMs },
      { text: `the same of 50 MB: at most ${launchMaxMs} ms`, value: median(large), max: launchMaxMs },
    ],
  };
}

function row(name: string, values: readonly number[]): Result {
  return { name, p50_ms: round(median(values)), p99_ms: round(quantile(values, 0.99)) };
}

/** Half noise, half zeros and text: gzip makes about half of it, as of a program with its data. */
async function writeLargeArchive(folder: string): Promise<string> {
  const source = join(folder, 'large');
  writePlugin(source, 'large');
  const text = Buffer.from('const answer = compute(question, { depth: 7, exact: true });\n'.repeat(64));
  for (let index = 0; index < files; index++) {
    const bytes = Buffer.alloc(fileBytes);
    for (let at = 0; at < fileBytes; at += 8192) {
      randomBytes(4096).copy(bytes, at);
      text.copy(bytes, at + 4096, 0, 3072);
    }
    writeFileSync(join(source, `part-${index}`), bytes);
  }
  const archive = join(folder, 'large.mmmp');
  await signed(folder, source, (host) => host.package(source, archive));
  return archive;
}

/** Signs a folder with the one key that every home trusts. */
async function signed(folder: string, source: string, next: (host: Host) => Promise<unknown>): Promise<void> {
  const author = await createHost({ home: join(folder, 'author') });
  if ((await author.keys.list()).length === 0) await author.createKey('default');
  await author.sign(source);
  await next(author);
  await author.close();
}

async function homeWithKey(folder: string, name: string): Promise<Host> {
  const [key] = await new KeyRing(join(folder, 'author', 'keys')).list();
  const host = await createHost({ home: join(folder, name) });
  await host.trustKey({ publicKey: key?.publicKey ?? '', name: 'bench', scopes: ['*'] });
  return host;
}

async function unpackInShell(folder: string, archive: string, number: number): Promise<number> {
  const target = join(folder, `unpacked-${number}`);
  mkdirSync(target);
  const script = 'tar -xzf "$1" -C "$2" && cd "$2" && find . -type f -exec sha256sum {} + > ../sums';
  const tookMs = await timeMs(() => run('sh', ['-c', script, 'sh', archive, target], { env: environment }));
  removeTree(target);
  return tookMs;
}

async function installFresh(folder: string, archive: string, number: number): Promise<number> {
  const name = `home-${number}`;
  const host = await homeWithKey(folder, name);
  try {
    return await timeMs(() => host.install(archive));
  } finally {
    await host.close();
    removeTree(join(folder, name));
  }
}

/** What each launch does before it asks for permissions, in a process that launched the plugin before. */
async function launchVerification(bench: Bench, which: 'small' | 'large'): Promise<readonly number[]> {
  const home = join(bench.folder, `launch-${which}`);
  const host = await homeWithKey(bench.folder, `launch-${which}`);
  if (which === 'large') await host.install(join(bench.folder, 'large.mmmp'));
  else {
    const source = join(bench.folder, 'small');
    writePlugin(source, 'small');
    await signed(bench.folder, source, () => host.install(source));
  }
  await host.close();
  const trust = await TrustStore.open(join(home, 'trust.json'));
  const services = {
    trust,
    content: new ContentStore(join(home, 'store')),
    memo: new SignatureMemo(join(home, 'verified.json')),
    exceptionOf: () => null,
    now: () => new Date(),
  };
  const spec = await readSpec(join(home, 'plugins', which), 'installed');
  await verify(spec, services);
  const values: number[] = [];
  for (let turn = 0; turn < bench.rounds; turn++) {
    const tookMs = await timeMs(async () => {
      for (let launch = 0; launch < launches; launch++) await verify(spec, services);
    });
    values.push(tookMs / launches);
  }
  return values;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
