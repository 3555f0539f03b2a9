import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Host, MmmError } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';

const id = 'tells_its_mark';
/** One optional-free permission that is asked about, so that a prompt stands between check and use. */
const asks = '[permissions]\nenvironment = [{ name = "LANG", reason = "Speaks your language" }]\n';
/** As long as the other: a change that neither size nor, once restored, date gives away. */
const [good, evil] = ['GOOD', 'EVIL'] as const;

interface Scene {
  readonly host: Host;
  readonly home: string;
  /** `store/<sha256>` of the installed plugin. */
  readonly bundle: string;
  /** A copy of the stored bundle in which the plugin says EVIL. */
  readonly evilBundle: string;
  /** The folder it was installed from. */
  readonly source: string;
}

type Hook = (scene: Scene) => void;

/** A host with the plugin installed. `whenAsked` is called while its user thinks, `whenRecorded` before it starts. */
async function scene(t: TestContext, hooks: { whenAsked?: Hook; whenRecorded?: Hook }): Promise<Scene> {
  let made: Scene | undefined;
  const { host, home, directory } = await fixtureHost(t, [{ behaviour: 'tells-its-mark', more: asks, grant: [] }], {
    environment: { LANG: 'C' },
    prompter: {
      async ask() {
        if (made !== undefined) hooks.whenAsked?.(made);
        return 'once';
      },
    },
  });
  const append = host.audit.append.bind(host.audit);
  host.audit.append = (entry) => {
    const appended = append(entry);
    if (entry.action === 'launch' && made !== undefined) hooks.whenRecorded?.(made);
    return appended;
  };
  const [sha256 = ''] = readdirSync(join(home, 'store')).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const bundle = join(home, 'store', sha256);
  const evilBundle = join(directory, 'evil');
  cpSync(bundle, evilBundle, { recursive: true });
  pry(evilBundle, () => corrupt(join(evilBundle, 'main.cjs')));
  made = { host, home, bundle, evilBundle, source: join(directory, id) };
  return made;
}

/** Makes a read-only folder writable for as long as the change takes. */
function pry(folder: string, change: () => void): void {
  chmodSync(folder, 0o700);
  change();
  chmodSync(folder, 0o555);
}

/** Writes into the file itself, and restores its mode and its dates. */
function corrupt(file: string): void {
  const { mode, atime, mtime } = lstatSync(file);
  chmodSync(file, 0o644);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(good, evil));
  utimesSync(file, atime, mtime);
  chmodSync(file, mode);
}

function moveAway(folder: string): void {
  chmodSync(folder, 0o700);
  renameSync(folder, `${folder}-away`);
  chmodSync(`${folder}-away`, 0o555);
}

const swaps: Readonly<Record<string, (scene: Scene) => void>> = {
  'the file overwritten in place': ({ bundle }) => corrupt(join(bundle, 'main.cjs')),
  'another file put in its place': ({ bundle, evilBundle }) =>
    pry(bundle, () => {
      cpSync(join(evilBundle, 'main.cjs'), join(bundle, 'fresh'));
      renameSync(join(bundle, 'fresh'), join(bundle, 'main.cjs'));
    }),
  'a link put in its place': ({ bundle, evilBundle }) =>
    pry(bundle, () => {
      unlinkSync(join(bundle, 'main.cjs'));
      symlinkSync(join(evilBundle, 'main.cjs'), join(bundle, 'main.cjs'));
    }),
  'a file added': ({ bundle }) => pry(bundle, () => writeFileSync(join(bundle, 'added.cjs'), '')),
  'a file taken away': ({ bundle }) => pry(bundle, () => rmSync(join(bundle, 'plugin.toml'))),
  'another folder put in its place': ({ bundle, evilBundle }) => {
    moveAway(bundle);
    cpSync(evilBundle, bundle, { recursive: true });
  },
  'a link to another folder put in its place': ({ bundle, evilBundle }) => {
    moveAway(bundle);
    symlinkSync(evilBundle, bundle);
  },
  'the folder gone': ({ bundle }) => moveAway(bundle),
};

async function says(host: Host): Promise<unknown> {
  return (await (await host.plugin(id)).execute('run', {})).output;
}

test('the plugin of these tests says what its bytes say', confined, async (t) => {
  const { host } = await scene(t, {});
  assert.equal(await says(host), good);
  const { host: other, directory } = await fixtureHost(t, []);
  const folder = copyFixture({ behaviour: 'tells-its-mark' }, directory);
  corrupt(join(folder, 'main.cjs'));
  const key = await other.keys.get('test');
  await other.sign(folder, key.name);
  await other.install(folder);
  assert.equal(await says(other), evil);
});

for (const [title, swap] of Object.entries(swaps)) {
  for (const point of ['whenAsked', 'whenRecorded'] as const) {
    const when = point === 'whenAsked' ? 'while its user is asked' : 'right before it starts';
    test(`${title}, ${when}: it does not start`, confined, async (t) => {
      let swapped = 0;
      const { host } = await scene(t, {
        [point]: (made: Scene) => {
          swapped += 1;
          swap(made);
        },
      });
      await assert.rejects(says(host), (error) => {
        // What is not there any more is missed by whatever looks first.
        const isGone = title === 'the folder gone' && MmmError.is(error, 'LAUNCH_FAILED');
        assert.ok(isGone || MmmError.is(error, 'BUNDLE_CHANGED'), String(error));
        return true;
      });
      assert.equal(swapped, 1, 'the swap took place between check and use');
    });
  }
}

const harmless: Readonly<Record<string, (scene: Scene) => void>> = {
  'the folder it was installed from': ({ source }) => corrupt(join(source, 'main.cjs')),
  'the link to the active version': ({ home, evilBundle }) => {
    const link = join(home, 'plugins', id);
    unlinkSync(link);
    symlinkSync(evilBundle, link);
  },
  'a folder put where the link was': ({ home, evilBundle }) => {
    unlinkSync(join(home, 'plugins', id));
    cpSync(evilBundle, join(home, 'plugins', id), { recursive: true });
  },
};

for (const [title, swap] of Object.entries(harmless)) {
  test(`${title} exchanged between check and use changes nothing of what runs`, confined, async (t) => {
    for (const point of ['whenAsked', 'whenRecorded'] as const) {
      const { host } = await scene(t, { [point]: swap });
      assert.equal(await says(host), good);
    }
  });
}

test('an installation that is swapped under its hands stores what was verified or nothing', async (t) => {
  const { host, directory, home } = await fixtureHost(t, []);
  const folder = copyFixture({ behaviour: 'tells-its-mark' }, directory);
  await host.sign(folder);
  const archive = (await host.package(folder, directory)).file;
  const evilFolder = join(directory, 'evil');
  cpSync(folder, evilFolder, { recursive: true });
  corrupt(join(evilFolder, 'main.cjs'));
  const evilArchive = (await host.package(evilFolder, join(directory, 'evil.mmmp'))).file;
  const steps: Readonly<Record<string, () => void>> = {
    'the file': () => corrupt(join(folder, 'main.cjs')),
    'the folder': () => {
      renameSync(folder, `${folder}-away`);
      cpSync(evilFolder, folder, { recursive: true });
    },
    'the folder by a link': () => {
      renameSync(folder, `${folder}-away`);
      symlinkSync(evilFolder, folder);
    },
    'the archive': () => renameSync(evilArchive, archive),
  };
  const whole = join(directory, 'whole');
  cpSync(folder, whole, { recursive: true });
  for (const [what, swap] of Object.entries(steps)) {
    rmSync(folder, { recursive: true, force: true });
    rmSync(`${folder}-away`, { recursive: true, force: true });
    cpSync(whole, folder, { recursive: true });
    const list = host.keys.list.bind(host.keys);
    let swapped = false;
    // Asked for between verifying and storing.
    host.keys.list = async () => {
      if (!swapped) swap();
      swapped = true;
      return await list();
    };
    const outcome = await host.install(what === 'the archive' ? archive : folder).catch((error: unknown) => error);
    host.keys.list = list;
    if (outcome instanceof Error) assert.ok(MmmError.is(outcome, 'BUNDLE_CHANGED'), `${what}: ${String(outcome)}`);
    for (const name of readdirSync(join(home, 'store'))) {
      if (name.endsWith('.json')) continue;
      assert.doesNotMatch(readFileSync(join(home, 'store', name, 'main.cjs'), 'utf8'), new RegExp(evil), what);
    }
    mkdirSync(folder, { recursive: true });
  }
});
