import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost } from '@mmm/host';
import { removeTree } from '../../scripts/remove-tree.ts';
import { bundledProgram, runProgram } from '../support/bundled-program.ts';
import { confined } from '../support/confined.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';

const id = 'tells_its_mark';
/** What each version answers. */
const words = { '1.0.0': 'GOOD', '2.0.0': 'BEST' } as const;

function isVersion(text: string): text is keyof typeof words {
  return text in words;
}

interface Stage {
  readonly program: string;
  readonly directory: string;
  /** With version 1 installed. */
  readonly home: string;
  /** Trusts the key, and has nothing installed. */
  readonly emptyHome: string;
  /** Version 2, as a folder and as an archive. */
  readonly folder: string;
  readonly archive: string;
}

async function stage(t: TestContext): Promise<Stage> {
  const program = await bundledProgram(t, 'install-and-die.ts');
  const { host, home, directory } = await fixtureHost(t, []);
  const emptyHome = join(directory, 'empty');
  const install = async (version: string, word: string): Promise<string> => {
    const folder = copyFixture({ behaviour: 'tells-its-mark' }, join(directory, version));
    const manifest = join(folder, 'plugin.toml');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('1.0.0', version));
    writeFileSync(join(folder, 'main.cjs'), readFileSync(join(folder, 'main.cjs'), 'utf8').replace('GOOD', word));
    await host.sign(folder);
    return folder;
  };
  const first = await install('1.0.0', words['1.0.0']);
  const folder = await install('2.0.0', words['2.0.0']);
  const { file: archive } = await host.package(folder, directory);
  cpSync(home, emptyHome, { recursive: true });
  await host.install(first);
  await host.close();
  return { program, directory, home, emptyHome, folder, archive };
}

/** Installs, killed before that step, and looks at what the next host finds. Returns the active version. */
async function killedAt(step: number, from: string, path: string, { program, directory }: Stage): Promise<string> {
  const home = join(directory, `home-${step}`);
  cpSync(from, home, { recursive: true, verbatimSymlinks: true });
  const ended = await runProgram(program, home, path, String(step));
  assert.equal(ended.signal, 'SIGKILL', `step ${step}: ${ended.output}`);
  const host = await createHost({ home });
  try {
    for (const place of ['store', 'plugins']) {
      const left = readdirSync(join(home, place)).filter((name) => name.startsWith('.'));
      assert.deepEqual(left, [], `step ${step} left something in ${place}`);
    }
    const [summary] = await host.list();
    if (summary !== undefined) {
      const { version, bundleSha256 } = await host.verify(id);
      assert.equal(version, summary.version, `step ${step}`);
      assert.equal(bundleSha256, summary.bundleSha256, `step ${step}: the record is about what is active`);
    }
    const version = summary?.version ?? 'none';
    const isTried = step % 8 === 1;
    if (isTried && isVersion(version)) {
      assert.equal((await (await host.plugin(id)).execute('run', {})).output, words[version], `step ${step}`);
    }
    if (isTried) assert.equal((await host.install(path)).version, '2.0.0', `step ${step}: it can be done again`);
    return version;
  } finally {
    await host.close();
    removeTree(home);
  }
}

async function killedEverywhere(from: string, path: string, staged: Stage): Promise<readonly string[]> {
  const counted = join(staged.directory, 'home-counted');
  cpSync(from, counted, { recursive: true, verbatimSymlinks: true });
  const { output } = await runProgram(staged.program, counted, path);
  const steps = Number(output.trim());
  assert.ok(steps > 30, `${output}: too few steps to be an installation`);
  const versions: string[] = [];
  for (let step = 1; step <= steps; step += 2) {
    const both = [step, step + 1].filter((one) => one <= steps);
    versions.push(...(await Promise.all(both.map((one) => killedAt(one, from, path, staged)))));
  }
  return versions;
}

/** First the old one, from some step on the new one, and never back. */
function assertTurnsOnce(versions: readonly string[], before: string): void {
  const turn = versions.indexOf('2.0.0');
  assert.ok(turn > 0, versions.join(' '));
  assert.deepEqual(
    versions,
    versions.map((_, step) => (step < turn ? before : '2.0.0')),
  );
}

test('an update killed before any of its steps leaves the old or the new version, whole', confined, async (t) => {
  const staged = await stage(t);
  assertTurnsOnce(await killedEverywhere(staged.home, staged.archive, staged), '1.0.0');
});

test(
  'a first installation killed before any of its steps leaves nothing or the version, whole',
  confined,
  async (t) => {
    const staged = await stage(t);
    assertTurnsOnce(await killedEverywhere(staged.emptyHome, staged.folder, staged), 'none');
  },
);
