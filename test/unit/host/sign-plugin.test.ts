import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, MmmError } from '@mmm/host';
import { tempFolder } from '../../support/temp-folder.ts';

const start = 'schema = 1\n[plugin]\nname = "p"\nversion = "1.0.0"\ndescription = "P"\nlicense = "MIT"\n';

/** A plugin folder with these files and a host that can sign it. */
async function stage(t: TestContext, files: Readonly<Record<string, string>>): Promise<{ host: Host; folder: string }> {
  const directory = tempFolder(t);
  const host = await createHost({ home: join(directory, 'home') });
  t.after(() => host.close());
  await host.createKey('me');
  const folder = join(directory, 'p');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return { host, folder };
}

async function problemsOf(t: TestContext, files: Readonly<Record<string, string>>): Promise<string[]> {
  const { host, folder } = await stage(t, files);
  let problems: string[] = [];
  await assert.rejects(host.sign(folder), (error) => {
    assert.ok(MmmError.is(error, 'MANIFEST_INVALID'), String(error));
    assert.match(error.message, /plugin\.toml:\d+:\d+: .*\n +\d+ \| .*\n +\| +\^/);
    problems = error.data.issues.map(({ line, column, path, message }) => `${line}:${column} ${path} ${message}`);
    return true;
  });
  assert.ok(!existsSync(join(folder, '.mmm')), 'nothing was signed');
  return problems;
}

test('a program file that the command names and the folder does not have is found when signing', async (t) => {
  const target = '[targets.linux-x64]\ncommand = ["node", "--quiet", "dist/plugin.cjs"]\n';
  const text = `${start}command = ["python3", "main.py"]\n${target}`;
  assert.deepEqual(await problemsOf(t, { 'plugin.toml': text, 'mian.py': '' }), [
    '7:23 plugin.command[1] names "main.py", which is not in the plugin folder',
    '9:31 targets.linux-x64.command[2] names "dist/plugin.cjs", which is not in the plugin folder',
  ]);
});

test('arguments that only look like files are left alone', async (t) => {
  const command = '["node", "./main.cjs", "example.com", "--x=a.js", "v1.2", "out.json", "https://h/a.js", "a b.js"]';
  const { host, folder } = await stage(t, { 'plugin.toml': `${start}command = ${command}\n`, 'main.cjs': '' });
  assert.equal((await host.sign(folder)).id, 'p');
});

test('a schema that no call could use is found when signing, in a file as in the manifest', async (t) => {
  const tool = (name: string, more: string): string => `[[capabilities]]\nkind = "tool"\nname = "${name}"\n${more}\n`;
  const text =
    `${start}command = ["node", "main.cjs"]\n${tool('a', 'input = { type = "strin" }')}` +
    `${tool('b', 'output = "schemas/b.json"')}${tool('c', 'input = "schemas/c.json"')}`;
  const files = {
    'main.cjs': '',
    'schemas/b.json': '{"type": ',
    'schemas/c.json': '{"type":"string","pattern":"("}',
    'plugin.toml': text,
  };
  const problems = await problemsOf(t, files);
  assert.equal(problems.length, 3);
  assert.match(problems[0] ?? '', /^11:9 capabilities\[0\]\.input cannot be used: it is not a JSON Schema: \/type /);
  assert.match(
    problems[1] ?? '',
    /capabilities\[1\]\.output names "schemas\/b\.json", which cannot be used: Unexpected/,
  );
  assert.match(problems[2] ?? '', /capabilities\[2\]\.input names "schemas\/c\.json", which cannot be used: /);
});
