// Takes seconds: the plugin runs confined, and git in it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Plugin, signPlugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { shippedPlugin } from '../support/shipped-plugin.ts';
import { tempFolder } from '../support/temp-folder.ts';

const specText =
  '---\ntitle: "Let people log in; $(touch /tmp/never) `id`"\nstatus: done\n---\n\nA name and a password.\n';

const startPrograms = ['filesystem=execute:$', '{project}'].join('');

interface Place {
  readonly git: Plugin;
  readonly project: string;
  /** Writes a file of the project as its owner. */
  write(path: string, text: string): void;
  /** Runs git outside, as the owner, to see what the plugin did. */
  look(...args: string[]): string;
  call<T>(tool: string, input?: Record<string, unknown>): Promise<T>;
  grant(key: string): Promise<unknown>;
  revoke(key: string): Promise<unknown>;
}

/** A project whose repository belongs to the uid the plugin runs as, and the plugin. */
async function place(t: TestContext, edit = (manifest: string): string => manifest): Promise<Place> {
  const parent = tempFolder(t);
  chmodSync(parent, 0o755);
  const project = join(parent, 'project');
  mkdirSync(project);
  const { host, directory } = await fixtureHost(t, [], { project });
  const folder = await shippedPlugin('git', directory);
  const manifest = join(folder, 'plugin.toml');
  writeFileSync(manifest, edit(readFileSync(manifest, 'utf8')));
  await signPlugin(folder, await host.keys.get());
  const report = await host.install(folder, { grantRequested: true });
  assert.deepEqual(report.missing, []);
  const git = await host.plugin('git');
  const uid = await launchUid(git);
  const own = (): void => {
    if (process.getuid?.() === 0) spawnSync('chown', ['-R', `${uid}:${uid}`, project]);
  };
  const look = (...args: string[]): string => {
    const result = spawnSync('git', ['-C', project, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
      ...(process.getuid?.() === 0 ? { uid, gid: uid } : {}),
    });
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  };
  own();
  look('init', '--quiet', '--initial-branch=trunk');
  look('config', 'user.name', 'Ada');
  look('config', 'user.email', 'ada@example.com');
  return {
    git,
    project,
    look,
    write: (path, text) => {
      mkdirSync(dirname(join(project, path)), { recursive: true });
      writeFileSync(join(project, path), text);
      own();
    },
    grant: (key) => host.grant('git', [key]),
    revoke: (key) => host.revoke('git', [key]),
    call: async (tool, input = {}) => (await git.execute(tool, { repository: project, ...input })).output as never,
  };
}

/** As root each plugin has a uid of its own, and the refusal to start says which. */
async function launchUid(git: Plugin): Promise<number> {
  const own = process.getuid?.() ?? 0;
  if (own !== 0) return own;
  const error = await git.start().catch((thrown: unknown) => thrown);
  assert.ok(MmmError.is(error, 'GRANT_UNUSABLE'), String(error));
  assert.match(error.data.fix, /^chown -R /);
  return error.data.uid;
}

test('a spec is committed with a message made of its title, and nothing in it reaches a shell', confined, async (t) => {
  const { call, write, look } = await place(t);
  write('specs/login.md', specText);
  write('src/login.ts', 'export {};\n');
  write('unrelated.txt', 'later\n');
  const committed = await call<Record<string, unknown>>('commit_spec', {
    spec: 'specs/login.md',
    paths: ['src/login.ts'],
  });
  const title = 'Let people log in; $(touch /tmp/never) `id`';
  assert.deepEqual(committed, {
    committed: true,
    reason: null,
    commit: look('rev-parse', 'HEAD').trim(),
    branch: 'main',
    message: `${title}\n`,
    files: ['specs/login.md', 'src/login.ts'],
  });
  assert.equal(look('log', '-1', '--format=%s%n%an <%ae>'), `${title}\nAda <ada@example.com>\n`);
  assert.ok(!existsSync('/tmp/never'));
  const status = await call<{ branch: string; files: unknown[] }>('status');
  assert.equal(status.branch, 'main');
  assert.deepEqual(status.files, [{ path: 'unrelated.txt', staged: 'unchanged', unstaged: 'untracked' }]);
  const again = await call<{ committed: boolean; reason: string }>('commit_spec', { spec: 'specs/login.md' });
  assert.deepEqual([again.committed, again.reason], [false, 'nothing_changed']);
});

test('status, log and diff tell what is there, odd names included', confined, async (t) => {
  const { call, write, look } = await place(t);
  assert.deepEqual(await call('log'), { commits: [] });
  write('ü "quoted"\n--all.md', '# First\n');
  await call('commit_spec', { spec: 'ü "quoted"\n--all.md', all: true });
  write('ü "quoted"\n--all.md', '# First\nmore\n');
  write('-rf', 'a file\n');
  const status = await call<{ files: { path: string; unstaged: string }[] }>('status');
  assert.deepEqual(
    status.files.map(({ path, unstaged }) => [path, unstaged]),
    [
      ['ü "quoted"\n--all.md', 'modified'],
      ['-rf', 'untracked'],
    ],
  );
  const diff = await call<{ files: unknown; patch: string; truncated: boolean }>('diff');
  assert.deepEqual(diff.files, [{ path: 'ü "quoted"\n--all.md', added: 1, removed: 0 }]);
  assert.match(diff.patch, /^\+more$/m);
  const cut = await call<{ patch: string; truncated: boolean }>('diff', { max_bytes: 100 });
  assert.ok(cut.truncated && cut.patch.length <= 100 && cut.patch.endsWith('\n'));
  await call('commit_spec', { spec: '-rf' });
  const { commits } = await call<{ commits: { subject: string; parents: string[] }[] }>('log', { path: '-rf' });
  assert.deepEqual(
    commits.map(({ subject }) => subject),
    ['-rf'],
  );
  const between = await call<{ files: { path: string }[] }>('diff', { from: 'HEAD~1', to: 'HEAD' });
  assert.deepEqual(
    between.files.map(({ path }) => path),
    ['-rf'],
  );
  assert.equal(look('rev-list', '--count', 'HEAD'), '2\n');
});

test('options, foreign paths and links are refused before git sees them', confined, async (t) => {
  const { call, write, project } = await place(t);
  write('a.md', '# A\n');
  await call('commit_spec', { spec: 'a.md' });
  symlinkSync('/etc/passwd', join(project, 'link.md'));
  const cases: [string, Record<string, unknown>, RegExp][] = [
    ['log', { from: '--output=/tmp/x' }, /not the name of a commit/],
    ['log', { from: 'HEAD..main' }, /not the name of a commit/],
    ['log', { from: 'nowhere' }, /does not exist/],
    ['diff', { paths: ['../outside'] }, /not a path inside/],
    ['diff', { to: 'HEAD' }, /needs from/],
    ['commit_spec', { spec: '/etc/passwd' }, /not a path inside/],
    ['commit_spec', { spec: '.git/config' }, /lies in \.git/],
    ['commit_spec', { spec: 'link.md' }, /not a plain file/],
    ['commit_spec', { spec: 'missing.md' }, /does not exist/],
    ['status', { repository: '/data' }, /not a git repository/],
    ['status', { repository: `${project}/../project` }, /not an absolute path/],
  ];
  for (const [tool, input, problem] of cases) {
    await assert.rejects(call(tool, input), (error: unknown) => {
      assert.ok(MmmError.is(error, 'CALL_REJECTED'), String(error));
      assert.match(error.message, problem);
      assert.equal(error.data.rpcCode, -32602, error.message);
      return true;
    });
  }
});

/** A program that the sandbox can run, and that leaves a trace of it. */
function trap(project: string, name: string): string {
  return `#!/usr/bin/node\nrequire('node:fs').mkdirSync('${project}/ran-${name}');\n`;
}

test('hooks and programs that a repository names do not run', confined, async (t) => {
  const { call, write, look, project } = await place(t);
  const names = ['hooks/pre-commit', 'monitor', 'differ', 'signer'];
  for (const name of names) {
    write(`.git/${name}`, trap(project, basename(name)));
    chmodSync(join(project, '.git', name), 0o755);
  }
  look('config', 'core.fsmonitor', join(project, '.git/monitor'));
  look('config', 'diff.external', join(project, '.git/differ'));
  look('config', 'gpg.program', join(project, '.git/signer'));
  look('config', 'commit.gpgSign', 'true');
  write('a.md', '# A\n');
  assert.equal((await call<{ committed: boolean }>('commit_spec', { spec: 'a.md' })).committed, true);
  write('a.md', '# B\n');
  await call('status');
  await call('diff');
  for (const name of names) assert.ok(!existsSync(join(project, `ran-${basename(name)}`)), name);
});

test(
  'its configuration decides about hooks, the message, the first branch and whether to commit',
  confined,
  async (t) => {
    const { call, write, look, project, grant, revoke } = await place(t, (manifest) =>
      manifest
        .replace('run_hooks = false', 'run_hooks = true\nauthor_name = "Bot"\nauthor_email = "bot@example.com"')
        .replace('"{{title}}"', '"{{name}} ({{status}}): {{title}}\\n\\n{{body}}"')
        .replace('"main"', '"specs/first"')
        .replace('auto_commit = true', 'auto_commit = false'),
    );
    write('.git/hooks/pre-commit', trap(project, 'hook'));
    chmodSync(join(project, '.git/hooks/pre-commit'), 0o755);
    write('specs/login.md', '---\nstatus: done # at last\n---\n# Log in\n\n- #1 first\n');
    const staged = await call<Record<string, unknown>>('commit_spec', { spec: 'specs/login.md' });
    const message = 'login (done): Log in\n\n# Log in\n\n- #1 first\n';
    assert.deepEqual(staged, {
      committed: false,
      reason: 'staged_only',
      commit: null,
      branch: 'specs/first',
      message,
      files: ['specs/login.md'],
    });
    const commit = { spec: 'specs/login.md', commit: true };
    // Nothing of the repository may be started then: git would pass over the hook.
    await revoke(startPrograms);
    await assert.rejects(call('commit_spec', commit), /pre-commit would not run[\s\S]*filesystem=execute:/);
    await grant(startPrograms);
    const committed = await call<{ committed: boolean }>('commit_spec', commit);
    assert.equal(committed.committed, true);
    assert.equal(
      look('log', '-1', '--format=%an <%ae>%n%D%n%B'),
      `Bot <bot@example.com>\nHEAD -> specs/first\n${message}\n`,
    );
    assert.ok(existsSync(join(project, 'ran-hook')));
  },
);

test('a repository of another user is refused, with the chown that mends it', confined, async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can make a repository of another user');
  const { call, write, project } = await place(t);
  write('a.md', '# A\n');
  spawnSync('chown', ['0:0', project, join(project, '.git')]);
  chmodSync(project, 0o777);
  await assert.rejects(call('status'), /does not belong to uid \d+[\s\S]*chown -R \d+:\d+ /);
});
