import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { buildPlugins } from '../support/build-plugins.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { descendantsOf, stillRunning } from '../support/descendants.ts';
import { startDev, Transcript } from '../support/dev-session.ts';
import { tempFolder } from '../support/temp-folder.ts';

const root = join(import.meta.dirname, '../..');
const command = join(root, 'packages/cli/bin/mmm.cjs');
const greetAda = `greet {"name":"Ada"}`;

// The SDK that new plugins get is a built one.
before(() => void buildPlugins());

const templates = [
  { template: 'javascript', file: 'main.cjs', mistake: { from: 'runPlugin(', to: 'runPlugin((', at: 'main.cjs' } },
  {
    template: 'typescript',
    file: 'src/greeting.ts',
    mistake: { from: 'return ', to: 'return (', at: 'src/greeting.ts' },
  },
  { template: 'python', file: 'main.py', mistake: { from: 'def main():', to: 'def main(:', at: 'main.py' } },
] as const;

interface Place {
  readonly directory: string;
  readonly home: string;
  readonly plugin: string;
  edit(file: string, from: string, to: string): void;
}

async function newPlugin(t: TestContext, ...options: string[]): Promise<Place> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const created = await mmm({ home, cwd: directory }, 'plugin', 'create', 'mine', ...options);
  assert.equal(created.code, 0, created.stderr);
  const plugin = join(directory, 'mine');
  return {
    directory,
    home,
    plugin,
    edit: (file, from, to) => {
      const text = readFileSync(join(plugin, file), 'utf8');
      assert.ok(text.includes(from), `${file} has ${from}`);
      writeFileSync(join(plugin, file), text.replace(from, to));
    },
  };
}

function snapshotsIn(home: string): string[] {
  return existsSync(join(home, 'development')) ? readdirSync(join(home, 'development')) : [];
}

for (const { template, file, mistake } of templates) {
  test(`a new ${template} plugin answers, and answers anew after each save`, confined, async (t) => {
    const { directory, home, edit } = await newPlugin(t, '--template', template);
    const { stdout, stderr, press, code, ...session } = startDev(
      { home, cwd: directory },
      'mine',
      '--watch',
      '--call',
      greetAda,
    );
    await stderr.until(/mine 0\.1\.0 \[development, unsigned\] .*mine\n/);
    await stdout.until(/^Hello, Ada!\n/);
    await stderr.until(/watching for changes · c or Enter/);

    edit(file, 'Hello', 'Good day');
    await stderr.until(new RegExp(`↻ ${file}\n`));
    await stdout.until(/^Good day, Ada!\n/);
    await stderr.until(/watching/);

    edit(mistake.at, mistake.from, mistake.to);
    await stderr.until(new RegExp(`✗ E0505 .*\\n${mistake.at}:\\d+:\\d+: .*\\n +\\d+ \\| .*\\n +\\| +\\^`));
    await stderr.until(/The last build that worked keeps running/);
    press('c');
    await stdout.until(/^Good day, Ada!\n/);
    press('r');
    await stderr.until(/✓ restarted/);
    press('\r');
    await stdout.until(/^Good day, Ada!\n/);

    edit(mistake.at, mistake.to, mistake.from);
    await stdout.until(/^Good day, Ada!\n/);
    edit(file, 'Good day', 'Welcome');
    await stdout.until(/^Welcome, Ada!\n/);
    assert.equal(snapshotsIn(home).length, 1);

    press('q');
    assert.equal(await code, 0);
    assert.equal(session.isRaw, false);
    assert.deepEqual(snapshotsIn(home), []);
  });
}

for (const { template } of templates) {
  for (const kind of ['tool', 'action', 'command']) {
    test(
      `a new ${template} plugin with one ${kind} passes its own tests and is signed, installed, called`,
      confined,
      async (t) => {
        const { directory, home, plugin } = await newPlugin(t, '--template', template, '--kind', kind);
        const cli = { home, cwd: directory };
        const input = kind === 'command' ? '{"args":["Ada"]}' : '{"name":"Ada"}';
        const tried = await mmm(cli, 'plugin', 'dev', 'mine', '--call', `greet ${input}`, '--json');
        assert.equal(tried.code, 0, tried.stdout + tried.stderr);
        const output = kind === 'command' ? { exit_code: 0, stdout: 'Hello, Ada!\n' } : 'Hello, Ada!';
        const { duration_ms: _, ...document } = tried.json();
        assert.deepEqual(document, {
          id: 'mine',
          version: '0.1.0',
          trust: 'development',
          directory: plugin,
          capabilities: [{ kind, name: 'greet' }],
          output,
        });
        const [program, ...words] =
          template === 'python' ? ['/usr/bin/python3', '-B', '-m', 'unittest'] : [process.execPath, '--test'];
        // Inside a test runner `node --test` would report to it instead of running by itself.
        const tests = spawnSync(program ?? '', words, {
          cwd: plugin,
          encoding: 'utf8',
          env: { PATH: '/usr/bin:/bin' },
        });
        assert.equal(tests.status, 0, tests.stdout + tests.stderr);
        for (const words of [
          ['key', 'new'],
          ['plugin', 'sign', 'mine'],
          ['plugin', 'install', './mine'],
        ]) {
          const result = await mmm(cli, ...words);
          assert.equal(result.code, 0, `${words.join(' ')}: ${result.stderr}`);
        }
        const called = await mmm(cli, 'plugin', 'exec', 'mine', 'greet', '--input', input, '--json');
        assert.deepEqual(called.json().output, output, called.stderr);
      },
    );
  }
}

test('TypeScript checks the types of a new plugin with nothing installed', async (t) => {
  for (const kind of ['tool', 'action', 'command']) {
    const { plugin } = await newPlugin(t, '--template', 'typescript', '--kind', kind);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const result = spawnSync(process.execPath, [tsc, '-p', plugin], { encoding: 'utf8' });
    assert.equal(result.status, 0, result.stdout);
  }
});

test('from nothing to a working call takes less than ten seconds, without a network', confined, (t) => {
  const directory = tempFolder(t);
  const env = { PATH: '/usr/bin:/bin', HOME: directory };
  const alone = process.getuid?.() === 0 ? ['unshare', '-n'] : [];
  const [program = '', ...before] = [...alone, process.execPath, command];
  const startedAtMs = systemClock.monotonic();
  const created = spawnSync(program, [...before, 'plugin', 'create', 'mine', '--template', 'typescript'], {
    cwd: directory,
    env,
    encoding: 'utf8',
  });
  assert.equal(created.status, 0, created.stderr);
  const called = spawnSync(program, [...before, 'plugin', 'dev', 'mine', '--call', greetAda], {
    cwd: directory,
    env,
    encoding: 'utf8',
  });
  assert.equal(called.stdout, 'Hello, Ada!\n', called.stderr);
  assert.ok(systemClock.monotonic() - startedAtMs < 10_000);
});

test('Ctrl-C leaves no process, no helper and no copy behind', confined, async (t) => {
  const { directory, home } = await newPlugin(t, '--template', 'typescript');
  const words = [command, 'plugin', 'dev', 'mine', '--watch', '--call', greetAda];
  const child = spawn(process.execPath, words, {
    cwd: directory,
    env: { PATH: '/usr/bin:/bin', HOME: directory, MMM_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [stdout, stderr] = [new Transcript(child.stdout), new Transcript(child.stderr)];
  await stdout.until(/Hello, Ada!/);
  // Without a terminal there are no keys.
  await stderr.until(/watching for changes\n/);
  const running = descendantsOf(child.pid ?? 0);
  assert.ok(running.length >= 3, 'the sandbox, the plugin and the helper of the build run');
  assert.equal(snapshotsIn(home).length, 1);
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'exit'), [130, null]);
  assert.deepEqual(stillRunning(running), []);
  assert.deepEqual(snapshotsIn(home), []);
});

test(
  'a plugin that cannot start leaves the one before running, and its stack names the source',
  confined,
  async (t) => {
    const { directory, home, edit } = await newPlugin(t, '--template', 'typescript');
    const session = startDev({ home, cwd: directory }, 'mine', '--watch', '--call', greetAda);
    await session.stdout.until(/^Hello, Ada!\n/);
    edit('src/greeting.ts', 'export', 'if (Math.random() >= 0) {\n  throw new Error("at load");\n}\nexport');
    await session.stderr.until(/stderr │ {5}at .*\(?src\/greeting\.ts:2:\d+/);
    await session.stderr.until(/✗ E0502 .*What it printed is above[\s\S]*keeps running/);
    session.press('c');
    await session.stdout.until(/^Hello, Ada!\n/);
    edit('src/greeting.ts', '>= 0', '< 0');
    edit(
      'src/greeting.ts',
      'return `',
      'console.log("called"); if (name === "Ada") throw new Error("boom");\n  return `',
    );
    // The answer and what the plugin prints come by two pipes.
    await session.stderr.sometime(/stderr │ called\n[\s\S]*Error: boom\n.*at greeting \(src\/greeting\.ts:\d+:\d+\)/);
    await session.stderr.sometime(/✗ E0605 .*boom/);
    session.interrupt();
    assert.equal(await session.code, 130);
  },
);

test(
  'a manifest with a mistake is shown with its line, and a plugin may come to work only later',
  confined,
  async (t) => {
    const { directory, home, edit } = await newPlugin(t, '--template', 'python');
    edit('plugin.toml', 'version = "0.1.0"', 'version = "one"');
    const session = startDev({ home, cwd: directory }, 'mine', '--watch');
    await session.stderr.until(
      /✗ E0101 [\s\S]*plugin\.toml:6:\d+: plugin\.version [\s\S]*\| +\^[\s\S]*Nothing runs yet/,
    );
    session.press('c');
    await session.stderr.until(/Nothing runs yet/);
    edit('plugin.toml', 'version = "one"', 'version = "0.2.0"');
    await session.stderr.until(/mine 0\.2\.0 [\s\S]*✓ checked/);
    session.press('c');
    await session.stderr.until(/No call was given: start with --call 'greet/);
    session.press('\u0003');
    assert.equal(await session.code, 130);
  },
);

test('what it asks for is granted for the run alone, by name or as a whole', confined, async (t) => {
  const { directory, home, plugin } = await newPlugin(t, '--template', 'python');
  const cli = { home, cwd: directory, env: { MINE_TOKEN: 'x' } };
  const manifest = join(plugin, 'plugin.toml');
  const asks = '\n[permissions]\nenvironment = [{ name = "MINE_TOKEN", reason = "Greets with it" }]\n';
  writeFileSync(manifest, `${readFileSync(manifest, 'utf8')}${asks}`);
  const dev = (...words: string[]) => mmm(cli, 'plugin', 'dev', 'mine', '--call', greetAda, '--json', ...words);
  const refused = await dev();
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /mmm plugin dev --grant 'environment=MINE_TOKEN'/);
  assert.equal((await dev('--grant', 'environment=MINE_TOKEN')).code, 0);
  assert.equal((await dev('--grant-requested')).code, 0);
  assert.equal((await dev('--grant', 'environment=OTHER')).code, 2);
  assert.equal((await dev()).code, 3, 'nothing was stored');
});

test('no other command starts it, and it shares nothing with an installed plugin of its name', confined, async (t) => {
  const { directory, home } = await newPlugin(t);
  const cli = { home, cwd: directory };
  assert.equal((await mmm(cli, 'plugin', 'dev', 'mine', '--call', greetAda)).code, 0);
  assert.equal((await mmm(cli, 'plugin', 'exec', 'mine', 'greet')).code, 5);
  assert.deepEqual((await mmm(cli, 'plugin', 'list', '--json')).json().plugins, []);
  assert.equal((await mmm(cli, 'plugin', 'install', './mine')).code, 4);
  const installed = await mmm(cli, 'plugin', 'install', './mine', '--allow-unsigned', 'mine');
  assert.equal(installed.code, 0, installed.stderr);
  const statistics = (await mmm(cli, 'plugin', 'stats', 'mine', '--json')).json().plugins as { executions: number }[];
  assert.equal(statistics[0]?.executions, 0);
  assert.deepEqual((await mmm(cli, 'plugin', 'logs', 'mine', '--json')).json().lines, []);
  const audit = readFileSync(join(home, 'audit/audit.jsonl'), 'utf8');
  const launches = audit.split('\n').filter((line) => line.includes('"action":"launch"'));
  assert.equal(launches.length, 1);
  assert.match(launches[0] ?? '', /"trust":\{"kind":"unsigned","exception":"development"\}/);
  assert.match(audit, /"action":"override".*"what":"development","directory":".*\/mine"/);
});

test(
  'a link in the folder is refused before anything runs, and an installed package is left out',
  confined,
  async (t) => {
    const { directory, home, plugin } = await newPlugin(t);
    symlinkSync(tempFolder(t), join(plugin, 'node_modules'));
    const dev = () => mmm({ home, cwd: directory }, 'plugin', 'dev', 'mine', '--call', greetAda, '--json');
    assert.equal((await dev()).json().output, 'Hello, Ada!');
    symlinkSync('/etc/passwd', join(plugin, 'secrets.txt'));
    const refused = await dev();
    assert.equal(refused.code, 4);
    assert.match(refused.stdout, /E0201.*mine\/secrets\.txt is a link/);
  },
);

test('names, templates and folders that will not do are refused with what would', async (t) => {
  const directory = tempFolder(t);
  const cli = { home: join(directory, 'home'), cwd: directory };
  const create = (...words: string[]) => mmm(cli, 'plugin', 'create', ...words);
  for (const [words, expected] of [
    [['My Plugin!'], /"My Plugin!": the name must be .* Did you mean "my_plugin"\?/],
    [['fooBar'], /Did you mean "foo_bar"\?/],
    [['../x'], /A plugin cannot be called/],
    [['ok', '--template', 'pyton'], /not "pyton"\. Did you mean "python"\?/],
    [['ok', '--kind', 'tol'], /not "tol"\. Did you mean "tool"\?/],
  ] as const) {
    const { code, stderr } = await create(...words);
    assert.equal(code, 2, words.join(' '));
    assert.match(stderr, expected);
  }
  writeFileSync(join(directory, 'file'), '');
  assert.match((await create('ok', '--dir', 'file')).stderr, /it is a file/);
  const made = await create('acme/ok', '--json');
  const { directory: place, next, files } = made.json() as { directory: string; next: string[]; files: string[] };
  assert.equal(place, join(directory, 'ok'));
  assert.deepEqual(next, ['cd ok', `mmm plugin dev --watch --call 'greet {"name":"Ada"}'`]);
  assert.ok(files.every((file) => existsSync(join(place, file))) && files.includes('plugin.toml'));
  const again = await create('ok');
  assert.equal(again.code, 2);
  assert.match(again.stderr, /is not empty, and nothing in it is overwritten/);
  assert.equal((await mmm(cli, 'plugin', 'dev', 'ok', '--watch', '--json')).code, 2);
});
