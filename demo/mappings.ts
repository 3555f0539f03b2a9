import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Listener } from './network.ts';
import { expect, print, type Stage, title } from './stage.ts';

/** What config.toml says: a moment of a schedule and a file each lead to a request. */
const settings = (inbox: string, origin: string) => `[[modes]]
name = "Day"

[[modes.mappings]]
name = "each-second"
trigger = { plugin = "timer", trigger = "cron", config = { expression = "* * * * * *" } }
action = { plugin = "http_request", params = { url = "${origin}/tick", method = "POST", json = "{{event.data}}" } }

[[modes.mappings]]
name = "new-file"
[modes.mappings.trigger]
plugin = "file_watch"
type = "file_watch.created"
config = { path = "${inbox}", include = ["*.txt"] }
[modes.mappings.action]
plugin = "http_request"
[modes.mappings.action.params]
url = "${origin}/file"
method = "POST"
json = { name = "{{event.data.name}}", bytes = "{{event.data.size}}", mode = "{{mode.name}}" }
`;

/** The daemon arms both triggers; nobody calls a plugin here but the mappings. */
export async function mappings(stage: Stage, server: Listener): Promise<void> {
  title('9. Triggers: a timer and a file that appears, each mapped to an HTTP request');
  const inbox = join(stage.directory, 'inbox');
  mkdirSync(inbox);
  // The uid of the plugin reads it.
  chmodSync(inbox, 0o755);
  const timer = stage.copy('build/plugins/timer');
  const watch = stage.copy('build/plugins/file_watch');
  const manifest = join(watch, 'plugin.toml');
  const own = `filesystem = [{ path = "${inbox}", access = "read", reason = "The demo's inbox" }]`;
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/^filesystem = .*$/m, own));
  for (const folder of [timer, watch]) await stage.mmm(['plugin', 'sign', folder]);
  await stage.mmm(['plugin', 'install', timer]);
  await stage.mmm(['plugin', 'install', watch, '--grant', `filesystem=read:${inbox}`]);
  writeFileSync(join(stage.home, 'config.toml'), settings(inbox, server.origin), { mode: 0o600 });
  await stage.mmm(['mapping', 'list']);
  await stage.mmm(['mapping', 'test', 'new-file', '--data', '{"name":"hello.txt","size":5}']);
  await stage.mmm(['daemon', 'start']);
  try {
    const tick = await server.next('POST /tick');
    print(`  the timer's request: ${tick}`);
    expect('the tick says for which moment it is', /"scheduled":"[0-9T:.-]+Z"/.test(tick));
    // What is there when the watch begins is taken as it is.
    while (!/armed +file_watch/.test(await stage.mmm(['mapping', 'list']))) await server.next('POST /tick');
    writeFileSync(join(inbox, 'hello.txt'), 'hello');
    print('  $ echo -n hello > inbox/hello.txt');
    const file = await server.next('POST /file');
    print(`  the file's request:  ${file}`);
    expect('the request tells of the file', file === 'POST /file {"name":"hello.txt","bytes":5,"mode":"Day"}');
  } finally {
    await stage.mmm(['daemon', 'stop']);
  }
}
