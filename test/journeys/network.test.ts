import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { snippets } from '../support/documents.ts';
import { httpListener } from '../support/listener.ts';
import { networked } from '../support/network-world.ts';
import { tempFolder } from '../support/temp-folder.ts';

test(
  'the plugin of the network guide reaches its service, is recorded, and reaches it no more',
  networked,
  async (t) => {
    const document = 'docs/network.md';
    const server = await httpListener(t, (request, response) => void response.end(`fine at ${request.url}`));
    // The guide's port may be taken here.
    const here = (text = ''): string => text.replaceAll('8080', String(server.port));
    const directory = tempFolder(t);
    const home = join(directory, 'home');
    mkdirSync(join(directory, 'health'));
    writeFileSync(join(directory, 'health', 'plugin.toml'), here(snippets(document, 'toml')[0]));
    writeFileSync(join(directory, 'health', 'main.py'), here(snippets(document, 'python')[0]));
    const type = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await mmm({ home, cwd: directory }, ...words);
      assert.equal(code, 0, `${words.join(' ')}\n${stderr}`);
      return stdout;
    };
    await type('key', 'new');
    const commands = here(snippets(document, 'sh')[0]).trimEnd().split('\n');
    const said: string[] = [];
    for (const command of commands) said.push(await type(...command.split(' ').slice(1)));
    assert.match(said[2] ?? '', /fine at \/health/);
    assert.match(said[3] ?? '', new RegExp(`connect health .*"http://127\\.0\\.0\\.1:${server.port}"`));
    const { code } = await mmm({ home, cwd: directory }, 'plugin', 'exec', 'health', 'check', '--no-interactive');
    assert.equal(code, 3);
    assert.equal(server.received(), 1);
  },
);
