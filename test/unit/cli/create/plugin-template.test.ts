import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { kinds, pluginFiles, templates } from '../../../../packages/cli/src/create/plugin-template.ts';
import { parseManifest } from '../../../../packages/host/src/discover/manifest.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const folder = join(import.meta.dirname, '../../../../packages/cli/templates');

/** The templates as they are shipped, with something small in the place of the built SDK. */
function shippedTemplates(t: TestContext): string {
  const copy = join(tempFolder(t), 'templates');
  cpSync(folder, copy, { recursive: true });
  writeFileSync(join(copy, 'sdk/mmm-plugin-sdk.cjs'), '// the SDK\n');
  return copy;
}

for (const template of templates) {
  for (const kind of kinds) {
    test(`a new ${template} plugin with one ${kind} has a valid manifest and every file it names`, async (t) => {
      const files = await pluginFiles(shippedTemplates(t), { name: 'acme/good_name', template, kind, year: 2031 });
      const { plugin, capabilities } = await parseManifest(files.get('plugin.toml') ?? '', 'plugin.toml', 'toml');
      assert.equal(plugin.name, 'acme/good_name');
      assert.equal(plugin.display_name, 'Good name');
      const [capability, ...more] = capabilities;
      assert.deepEqual([capability?.kind, capability?.name, more.length], [kind, 'greet', 0]);
      for (const path of [capability?.input, capability?.output]) {
        if (path !== undefined) assert.ok(files.has(String(path)), `${String(path)} is there`);
      }
      const program = plugin.command?.at(-1) ?? '';
      // The program repeats neither: another version is then given in one place.
      const own = [...files].filter(([path]) => /^(src\/)?main\./.test(path)).map(([, text]) => text);
      assert.ok(own.length > 0 && own.every((text) => !/acme\/good_name|0\.1\.0/.test(text)));
      const source = template === 'typescript' ? 'src/main.ts' : program;
      assert.match(files.get(source) ?? '', /greet/);
      assert.equal(files.has('vendor/mmm-plugin-sdk.cjs'), template !== 'python');
      assert.match(files.get('LICENSE') ?? '', /^MIT License\n\nCopyright \(c\) 2031 the authors of acme\/good_name\n/);
      const test = template === 'python' ? 'test_main.py' : 'test/greet.cjs';
      assert.ok(files.has(test) && files.has('README.md'));
      const left = [...files].filter(([path, text]) => !path.startsWith('vendor/') && /my_plugin|My plugin/.test(text));
      assert.deepEqual(left, []);
      if (template === 'typescript') assert.match(files.get(test) ?? '', /'dist\/plugin\.cjs'/);
    });
  }
}

test('a README speaks of the kind it was made for', async (t) => {
  const shipped = shippedTemplates(t);
  const plugin = { name: 'x', template: 'python', year: 2031 } as const;
  const tool = (await pluginFiles(shipped, { ...plugin, kind: 'tool' })).get('README.md') ?? '';
  const command = (await pluginFiles(shipped, { ...plugin, kind: 'command' })).get('README.md') ?? '';
  assert.match(tool, /--call 'greet \{"name":"Ada"\}'[\s\S]*schemas\//);
  assert.match(command, /--call 'greet \{"args":\["Ada"\]\}'/);
  assert.doesNotMatch(command, /schemas\/|"name":"Ada"/);
});

test('without the built SDK it is said how to get it', async () => {
  const missing = pluginFiles(folder, { name: 'x', template: 'javascript', kind: 'tool', year: 2031 });
  await assert.rejects(missing, /without the plugin SDK[\s\S]*npm run build/);
});
