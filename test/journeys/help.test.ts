import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { run as runCommand } from '@mmm/cli';
import { errorHelp } from '@mmm/protocol';
import { mmm } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

const commandLine = (text: string): string[] => text.split(' ');

test('every command that the help of an error names is one', async (t) => {
  const home = join(tempFolder(t), 'home');
  const commands = Object.values(errorHelp)
    .flatMap(({ why, fix }) => [...`${why} ${fix}`.matchAll(/`mmm ([^`]*)`/g)])
    .map(([, words = '']) => words);
  assert.ok(commands.length > 10);
  for (const words of commands) {
    const argv = commandLine(words);
    const [group = '', name = ''] = argv;
    const path = group === 'plugin' || group === 'key' ? [group, name] : [group];
    assert.equal((await mmm({ home }, 'help', ...path)).code, 0, words);
    for (const option of argv.filter((word) => word.startsWith('--'))) {
      assert.match((await mmm({ home }, 'help', ...path)).stdout, new RegExp(option), words);
    }
  }
});

test('output that cannot be written fails the command, but a reader who has enough does not', async (t) => {
  const home = join(tempFolder(t), 'home');
  const into = async (code: string): Promise<{ code: number; stderr: string }> => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(`write ${code}`), { code })),
    });
    const stderr = new PassThrough();
    const exit = await runCommand(['help', 'E0112'], {
      stdout,
      stderr,
      stdin: new PassThrough(),
      env: { HOME: home },
      cwd: '/',
      resources: '/',
      interrupted: new AbortController().signal,
    });
    return { code: exit, stderr: String(stderr.read() ?? '') };
  };
  assert.deepEqual(await into('ENOSPC'), { code: 1, stderr: 'The output could not be written: write ENOSPC\n' });
  assert.deepEqual(await into('EPIPE'), { code: 0, stderr: '' });
});

test('a mistyped command is answered with the one that was meant, in whichever group it is', async (t) => {
  const home = join(tempFolder(t), 'home');
  const meant = async (...argv: string[]): Promise<string> => {
    const { code, stderr } = await mmm({ home }, ...argv);
    assert.equal(code, 2);
    return /Did you mean: (.*)/.exec(stderr)?.[1] ?? stderr;
  };
  assert.equal(await meant('plugn'), 'mmm plugin');
  assert.equal(await meant('install', './x'), 'mmm plugin install');
  assert.equal(await meant('plugin', 'instal', './x'), 'mmm plugin install');
  assert.equal(await meant('key', 'revok'), 'mmm key revoke');
  assert.equal(await meant('trust'), 'mmm key trust');
  assert.match(await meant('plugin'), /No command was given\. After "mmm plugin" comes one of: .*install/);
});

test('help takes commands and every spelling of an error', async (t) => {
  const home = join(tempFolder(t), 'home');
  assert.match((await mmm({ home }, 'help', 'plugin', 'install')).stdout, /--allow-unsigned[\s\S]*Examples:/);
  assert.match((await mmm({ home }, 'help', 'plugin')).stdout, /Commands:[\s\S]*install/);
  for (const word of ['203', 'e0203', 'E0203', 'signature_missing', 'signature-missing']) {
    assert.match((await mmm({ home }, 'help', word)).stdout, /^E0203 SIGNATURE_MISSING/, word);
  }
  const unknown = await mmm({ home }, 'help', 'plugin', 'instal');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /Did you mean: mmm help plugin install/);
  const all = (await mmm({ home }, 'help', '--json')).json() as { commands: { command: string }[]; errors: unknown[] };
  assert.ok(all.commands.some(({ command }) => command === 'mmm plugin config set'));
  assert.equal(all.errors.length, Object.keys(errorHelp).length);
});

test('every argument of every command is described, and the hard ones come with examples', async (t) => {
  const home = join(tempFolder(t), 'home');
  const { commands } = (await mmm({ home }, 'help', '--json')).json() as {
    commands: { command: string; description: string; arguments: { name: string; description: string }[] }[];
  };
  for (const { command, description, arguments: list } of commands) {
    assert.notEqual(description, '', command);
    for (const argument of list) assert.notEqual(argument.description, '', `${command} <${argument.name}>`);
  }
  for (const words of ['plugin install', 'plugin exec', 'plugin grant', 'key trust']) {
    assert.match((await mmm({ home }, ...commandLine(words), '--help')).stdout, /\nExamples:\n {2}/);
  }
});

test('errors are red at a terminal, unless it wants no colour', async (t) => {
  const home = join(tempFolder(t), 'home');
  const shown = async (env: Record<string, string>): Promise<string> => {
    const stderr = Object.assign(new PassThrough(), { isTTY: true });
    await runCommand(['plugn'], {
      stdout: new PassThrough(),
      stderr,
      stdin: new PassThrough(),
      env: { HOME: home, ...env },
      cwd: '/',
      resources: '/',
      interrupted: new AbortController().signal,
    });
    return String(stderr.read());
  };
  assert.ok((await shown({})).startsWith('\u001B[1m\u001B[31merror[E0901]'));
  assert.match(await shown({ NO_COLOR: '1' }), /^error\[E0901\]/);
});

test('a clone that was not built says how to build it', (t) => {
  const directory = tempFolder(t);
  const cli = join(import.meta.dirname, '../../packages/cli');
  mkdirSync(join(directory, 'bin'));
  cpSync(join(cli, 'bin/mmm.cjs'), join(directory, 'bin/mmm.cjs'));
  cpSync(join(cli, 'package.json'), join(directory, 'package.json'));
  writeFileSync(join(directory, 'bin/package.json'), '{"type":"commonjs"}');
  const ran = spawnSync(process.execPath, [join(directory, 'bin/mmm.cjs'), 'plugin', 'list'], { encoding: 'utf8' });
  assert.equal(ran.status, 1);
  assert.equal(ran.stderr, 'mmm is not built yet. Run: npm run build\n');
});

test('options that every command has may stand before it', async (t) => {
  const home = join(tempFolder(t), 'home');
  const listed = await mmm({ home: '/nowhere' }, '--home', home, '--json', 'plugin', 'list');
  assert.deepEqual(listed.json(), { plugins: [], problems: [] });
});
