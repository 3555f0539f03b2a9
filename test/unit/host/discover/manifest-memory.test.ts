import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManifestMemory } from '../../../../packages/host/src/discover/manifest-memory.ts';
import { discover } from '../../../../packages/host/src/discover/scan.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

/** A search folder with one plugin, scanned by the memory of one home, at a time when its files are old enough. */
class World {
  readonly root: string;
  readonly file: string;
  readonly memoryFile: string;
  nowMs = Date.now() + 60_000;

  constructor(t: TestContext) {
    this.root = realpathSync(tempFolder(t));
    this.memoryFile = join(this.root, 'manifests.json');
    this.file = join(this.root, 'plugins/a/plugin.toml');
    this.write('1.0.0');
  }

  write(version: string): void {
    mkdirSync(join(this.root, 'plugins/a'), { recursive: true });
    const fields = `name = "a"\nversion = "${version}"\ndescription = "A"\nlicense = "MIT"\ncommand = ["./x"]`;
    writeFileSync(this.file, `schema = 1\n[plugin]\n${fields}\n`);
    writeFileSync(join(this.root, 'plugins/a/x'), '');
  }

  /** A process of its own each time: nothing is remembered but what lies in the file. */
  async scan(memory = new ManifestMemory(this.memoryFile)) {
    const entry = { directory: join(this.root, 'plugins'), origin: 'user' as const };
    return await discover([entry], undefined, { manifests: memory, nowMs: this.nowMs });
  }

  async versions(): Promise<string[]> {
    return (await this.scan()).plugins.map(({ manifest }) => manifest.plugin.version);
  }

  /** Puts a word into the remembered manifest that the file itself does not have: seen only if memory was used. */
  mark(): void {
    const text = readFileSync(this.memoryFile, 'utf8');
    assert.ok(text.includes('"description":"A"'));
    writeFileSync(this.memoryFile, text.replace('"description":"A"', '"description":"remembered"'));
  }

  async description(): Promise<string | undefined> {
    return (await this.scan()).plugins[0]?.manifest.plugin.description;
  }
}

test('a manifest that did not change is not read again, also by another process', async (t) => {
  const world = new World(t);
  const first = await world.scan();
  assert.deepEqual(await world.scan(), first);
  assert.equal(statSync(world.memoryFile).mode & 0o777, 0o600);
  world.mark();
  assert.equal(await world.description(), 'remembered');
});

test('a manifest that changed is read again, even with the same size and the same time of change', async (t) => {
  const world = new World(t);
  assert.deepEqual(await world.versions(), ['1.0.0']);
  const { atime, mtime } = statSync(world.file);
  world.write('2.0.0');
  utimesSync(world.file, atime, mtime);
  assert.deepEqual(await world.versions(), ['2.0.0']);
});

test('a manifest that was replaced by another file is read again', async (t) => {
  const world = new World(t);
  await world.scan();
  const other = join(world.root, 'other');
  writeFileSync(other, readFileSync(world.file, 'utf8').replace('1.0.0', '3.0.0'));
  renameSync(other, world.file);
  assert.deepEqual(await world.versions(), ['3.0.0']);
});

test('a manifest so young that a second change could look like none is not remembered', async (t) => {
  const world = new World(t);
  world.nowMs = statSync(world.file).ctimeMs + 1000;
  await world.scan();
  assert.equal(existsSync(world.memoryFile), false);
});

test('what a remembered manifest names must still be there, and a second one still refuses it', async (t) => {
  const world = new World(t);
  await world.scan();
  renameSync(join(world.root, 'plugins/a/x'), join(world.root, 'plugins/a/y'));
  assert.match((await world.scan()).problems[0]?.message ?? '', /"x", which is not in the plugin folder/);
  renameSync(join(world.root, 'plugins/a/y'), join(world.root, 'plugins/a/x'));
  writeFileSync(join(world.root, 'plugins/a/plugin.yaml'), 'schema: 1\n');
  assert.match((await world.scan()).problems[0]?.message ?? '', /both plugin\.toml and plugin\.yaml/);
});

test('a memory that is damaged, of another version or open to others counts as empty', async (t) => {
  const world = new World(t);
  await world.scan();
  world.mark();
  const remembered = readFileSync(world.memoryFile, 'utf8');
  chmodSync(world.memoryFile, 0o644);
  assert.equal(await world.description(), 'A');
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"schema":1}',
    remembered.replace('mmm.manifests/1', 'mmm.manifests/0'),
  ]) {
    writeFileSync(world.memoryFile, text);
    chmodSync(world.memoryFile, 0o600);
    assert.equal(await world.description(), 'A', text.slice(0, 30));
  }
});

test('a memory that cannot be written costs nothing but time', async (t) => {
  const world = new World(t);
  const { plugins } = await world.scan(new ManifestMemory(join(world.root, 'no/such/folder/manifests.json')));
  assert.equal(plugins.length, 1);
});
