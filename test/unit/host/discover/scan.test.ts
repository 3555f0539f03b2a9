import assert from 'node:assert/strict';
import { existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Discovery, discover, type SearchEntry } from '../../../../packages/host/src/discover/scan.ts';
import type { PluginOrigin } from '../../../../packages/host/src/discover/spec.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

class Folders {
  readonly root: string;

  constructor(t: TestContext) {
    this.root = realpathSync(tempFolder(t));
  }

  plugin(folder: string, name: string, more = ''): this {
    const plugin = `name = "${name}"\nversion = "1.0.0"\ndescription = "A"\nlicense = "MIT"\ncommand = ["x"]\n`;
    return this.file(`${folder}/plugin.toml`, `schema = 1\n[plugin]\n${plugin}${more}`);
  }

  file(file: string, text: string): this {
    mkdirSync(join(this.root, file, '..'), { recursive: true });
    writeFileSync(join(this.root, file), text);
    return this;
  }

  link(file: string, target: string): this {
    mkdirSync(join(this.root, file, '..'), { recursive: true });
    symlinkSync(target, join(this.root, file));
    return this;
  }

  /** Plugins as `id folder`, problems as `kind plugin folder`, one a line. */
  async scan(...path: (readonly [folder: string, origin: PluginOrigin])[]): Promise<string[]> {
    const { plugins, problems } = await this.discovery(...path);
    const short = (directory: string): string => relative(this.root, directory);
    return [
      ...plugins.map(({ id, directory }) => `${id} ${short(directory)}`),
      ...problems.map(({ kind, plugin, directory }) => `${kind} ${plugin ?? '?'} ${short(directory)}`),
    ];
  }

  discovery(...path: (readonly [folder: string, origin: PluginOrigin])[]): Promise<Discovery> {
    return discover(path.map(([folder, origin]): SearchEntry => ({ directory: join(this.root, folder), origin })));
  }
}

test('discovery finds plugins by rank, then by folder name, however the path is ordered', async (t) => {
  const folders = new Folders(t)
    .plugin('u/b', 'beta')
    .plugin('u/a', 'zeta')
    .plugin('s/x', 'alpha')
    .plugin('i/gamma', 'gamma');
  assert.deepEqual(await folders.scan(['s', 'system'], ['u', 'user'], ['i', 'installed']), [
    'gamma i/gamma',
    'zeta u/a',
    'beta u/b',
    'alpha s/x',
  ]);
});

test('missing folders, plain files and dot folders are passed over in silence', async (t) => {
  const folders = new Folders(t)
    .file('u/README', 'x')
    .plugin('u/.hidden', 'hidden')
    .plugin('u/a', 'a')
    .link('u/l', 'README');
  assert.deepEqual(await folders.scan(['gone', 'system'], ['u', 'user']), ['a u/a']);
});

test('broken plugins are reported with file, line and reason and stop nothing', async (t) => {
  const folders = new Folders(t)
    .plugin('u/a', 'a')
    .plugin('u/b', 'b', 'color = 1\n')
    .plugin('u/c', 'c')
    .file('u/d/plugin.toml', 'schema = \n')
    .file('u/e/notes.txt', '')
    .file('u/f/plugin.yaml', '- [');
  const { plugins, problems } = await folders.discovery(['u', 'user']);
  assert.deepEqual(
    plugins.map(({ id }) => id),
    ['a', 'c'],
  );
  assert.deepEqual(
    problems.map(({ kind, error }) => `${kind} ${error?.code}`),
    ['broken MANIFEST_INVALID', 'broken MANIFEST_INVALID', 'broken MANIFEST_UNREADABLE', 'broken MANIFEST_INVALID'],
  );
  assert.ok(problems[0]?.message.includes(`${folders.root}/u/b/plugin.toml:8:1: plugin.color is not a known key`));
});

test('a search folder that cannot be read is reported and the others are read', async (t) => {
  const folders = new Folders(t).file('u', 'a file').plugin('s/a', 'a').link('p', 'p');
  assert.deepEqual(await folders.scan(['u', 'user'], ['p', 'project'], ['s', 'system']), [
    'a s/a',
    'broken ? p',
    'broken ? u',
  ]);
});

test('the higher rank wins and the others are reported as shadowed', async (t) => {
  const folders = new Folders(t).plugin('i/a', 'a').plugin('p/a', 'a').plugin('u/a', 'a').plugin('s/a', 'a');
  const path = [
    ['s', 'system'],
    ['u', 'user'],
    ['p', 'project'],
    ['i', 'installed'],
  ] as const;
  assert.deepEqual(await folders.scan(...path), ['a i/a', 'shadowed a p/a', 'shadowed a u/a', 'shadowed a s/a']);
  const { problems } = await folders.discovery(...path);
  const [winner, loser] = ['i/a', 'p/a'].map((name) => join(folders.root, name));
  assert.equal(
    problems[0]?.message,
    `Plugin "a" in ${loser} (project) is not used: the one in ${winner} (installed) comes first.`,
  );
});

test('two of one name in the same rank are both refused, and nothing below takes their place', async (t) => {
  const folders = new Folders(t).plugin('u/a', 'a').plugin('v/b', 'a').plugin('s/a', 'a').plugin('u/c', 'c');
  const path = [
    ['u', 'user'],
    ['v', 'user'],
    ['s', 'system'],
  ] as const;
  assert.deepEqual(await folders.scan(...path), ['c u/c', 'duplicate a u/a', 'duplicate a v/b', 'shadowed a s/a']);
  const [first] = (await folders.discovery(...path)).problems;
  assert.equal(first?.error?.code, 'PLUGIN_NAME_TAKEN');
});

test('two of one name below a higher rank are only shadowed', async (t) => {
  const folders = new Folders(t).plugin('i/a', 'a').plugin('u/a', 'a').plugin('u/b', 'a');
  assert.deepEqual(await folders.scan(['i', 'installed'], ['u', 'user']), [
    'a i/a',
    'shadowed a u/a',
    'shadowed a u/b',
  ]);
});

test('a refused plugin keeps its name: no other code runs in its place', async (t) => {
  const folders = new Folders(t)
    .plugin('i/acme__a', 'acme/a', 'color = 1')
    .plugin('u/a', 'acme/a')
    .plugin('u/n', 'newer', 'mmm = "^99.0"')
    .plugin('s/n', 'newer');
  assert.deepEqual(await folders.scan(['i', 'installed'], ['u', 'user'], ['s', 'system']), [
    'broken acme/a i/acme__a',
    'incompatible newer u/n',
    'shadowed acme/a u/a',
    'shadowed newer s/n',
  ]);
});

test('the installed folder holds links into the store', async (t) => {
  const folders = new Folders(t)
    .plugin('store/0a', 'acme/a')
    .link('plugins/acme__a', '../store/0a')
    .link('plugins/gone', '../store/1b');
  assert.deepEqual(await folders.scan(['plugins', 'installed']), ['acme/a store/0a', 'broken gone plugins/gone']);
});

test('an installed plugin must be what its folder is called', async (t) => {
  const folders = new Folders(t).plugin('store/0a', 'impostor').link('plugins/acme__a', '../store/0a');
  assert.deepEqual(await folders.scan(['plugins', 'installed']), ['broken acme/a plugins/acme__a']);
});

test("a link out of a project's plugin folder is refused, one inside the user's is followed", async (t) => {
  const folders = new Folders(t).plugin('elsewhere/a', 'a').link('p/a', '../elsewhere/a').link('u/a', '../elsewhere/a');
  assert.deepEqual(await folders.scan(['p', 'project']), ['broken ? p/a']);
  assert.deepEqual(await folders.scan(['u', 'user']), ['a elsewhere/a']);
});

test('one folder reached by several ways is one plugin', async (t) => {
  const folders = new Folders(t).plugin('u/a', 'a').link('u/b', 'a').link('home', 'u').link('v/c', '../u/a');
  assert.deepEqual(await folders.scan(['u', 'project'], ['home', 'user'], ['v', 'user']), ['a u/a']);
});

test('an entry of origin path may be one plugin or a folder of them', async (t) => {
  const folders = new Folders(t).plugin('one', 'a').plugin('many/b', 'b').plugin('many/c', 'c');
  assert.deepEqual(await folders.scan(['one', 'path'], ['many', 'path']), ['a one', 'b many/b', 'c many/c']);
});

test('nothing of a plugin is executed', async (t) => {
  const folders = new Folders(t).plugin('u/a', 'a').file('u/a/index.js', 'require("fs").writeFileSync("ran", "")');
  folders.file('u/a/package.json', '{"main": "index.js"}');
  assert.deepEqual(await folders.scan(['u', 'user']), ['a u/a']);
  assert.ok(!existsSync(join(folders.root, 'ran')) && !existsSync('ran'));
});
