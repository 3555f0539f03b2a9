import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { readSettings } from '../../../../packages/host/src/settings/settings.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

async function read(t: TestContext, text: string): Promise<unknown> {
  const file = join(tempFolder(t), 'config.toml');
  writeFileSync(file, text, { mode: 0o600 });
  return await readSettings(file).catch((error: unknown) => error);
}

const mapping = (trigger: string, action = '{ plugin = "echo" }'): string =>
  `[[modes]]\nname = "Default"\n[[modes.mappings]]\ntrigger = ${trigger}\naction = ${action}\n`;

test('mappings as people write them are taken, the long way and the short one', async (t) => {
  const settings = await read(
    t,
    `
[triggers.nightly]
plugin = "timer"
trigger = "cron"
config = { expression = "0 3 * * *" }

[[modes]]
name = "Default"

[[modes.mappings]]
name = "pad 1"
[modes.mappings.trigger]
type = "Note"
note = 1
velocity_min = 60
[modes.mappings.action]
type = "Plugin"
plugin = "http_request"
[modes.mappings.action.params]
url = "https://example.com/{{event.data.note}}"

[[global_mappings]]
trigger = { instance = "nightly" }
action = { type = "ModeChange", mode = "Default" }
`,
  );
  assert.ok(!(settings instanceof Error), String(settings));
});

for (const [what, text, problem] of [
  ['a misspelled device type', mapping('{ type = "Nota" }'), /:4:20: .*did you mean "Note"\?/],
  [
    'a field of another device',
    mapping('{ type = "CC", note = 1 }'),
    /:4:\d+: .*trigger\.note is no key for type = "CC"; known for it: cc, /,
  ],
  ['a filter beside a glob', mapping('{ type = "file.*", note = 1 }'), /put it into where = \{ note = … \}/],
  ['a misspelled key', mapping('{ pluign = "timer" }'), /:4:13: .*pluign is not a known key; did you mean "plugin"\?/],
  ['a trigger that names no event', mapping('{}'), /names no event: give type, or plugin, or instance/],
  ['a configuration without its plugin', mapping('{ type = "x.y", config = {} }'), /config needs plugin beside it/],
  [
    'an instance that is not there',
    mapping('{ instance = "nightly" }'),
    /"nightly", which is no trigger in \[triggers\]/,
  ],
  ['an action without a plugin', mapping('{ type = "x.y" }', '{}'), /:5:\d+: .*action\.plugin is missing/],
  [
    'a mode that is not there',
    mapping('{ type = "x.y" }', '{ type = "ModeChange", mode = "Defualt" }'),
    /:5:\d+: .*did you mean "Default"\?/,
  ],
  [
    'a template that is none',
    mapping('{ type = "x.y" }', '{ plugin = "echo", params = { a = "{{evnt.id}}" } }'),
    /:5:\d+: .*params\.a has \{\{evnt\.id\}\}: a path begins with/,
  ],
  [
    'two mappings of one name',
    mapping('{ type = "x.y" }') +
      '[[global_mappings]]\nname = "Default/1"\ntrigger = { type = "x.y" }\naction = { plugin = "echo" }\n',
    /repeats the mapping "Default\/1"/,
  ],
  [
    'two modes of one name',
    `${mapping('{ type = "x.y" }')}[[modes]]\nname = "Default"\n`,
    /repeats the mode "Default"/,
  ],
] as const) {
  test(`${what} is refused, with its place`, async (t) => {
    const error = await read(t, text);
    assert.ok(MmmError.is(error, 'CONFIG_INVALID'), String(error));
    assert.match(error.message, problem);
  });
}
