// Takes seconds: real git, the real command behind its hook, and a confined plugin that says no.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const program = [
  ...['--import', import.meta.resolve('tsx'), '--conditions=mmm-source'],
  join(import.meta.dirname, '../support/mmm-process.ts'),
];
const guard = {
  behaviour: 'guards-commits',
  more: '[[capabilities]]\nkind = "hook"\nname = "keys"\nevents = ["before_commit"]\n',
};

interface Repository {
  readonly home: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  mmm(...words: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string };
  git(...words: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string };
  write(path: string, text: string): void;
}

async function repository(t: TestContext): Promise<Repository> {
  const { host, home, directory } = await fixtureHost(t, [guard]);
  await host.close();
  const folder = join(directory, "it's a repo");
  mkdirSync(folder);
  const env = {
    ...{ PATH: process.env.PATH, HOME: directory, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
    ...{ GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'a@example.org' },
    ...{ GIT_COMMITTER_NAME: 'Ada', GIT_COMMITTER_EMAIL: 'a@example.org' },
  };
  const run = (file: string, words: readonly string[], cwd = folder) =>
    spawnSync(file, words, { cwd, env, encoding: 'utf8' });
  const git = (...words: string[]) => run('git', words);
  assert.equal(git('init', '--quiet', '--initial-branch=trunk').status, 0);
  return {
    ...{ home, folder, env, git },
    mmm: (...words) => run(process.execPath, [...program, ...words, '--home', home]),
    write: (path, text) => {
      writeFileSync(join(folder, path), text);
      assert.equal(git('add', path).status, 0);
    },
  };
}

test('a plugin vetoes a commit of a real repository, and the commit is not made', confined, async (t) => {
  const { git, mmm, write, home } = await repository(t);
  const installed = mmm('events', 'git-hook', 'install', '--json');
  assert.equal(installed.status, 0, installed.stderr);
  assert.equal((JSON.parse(installed.stdout) as { kept: unknown }).kept, null);
  write('readme.md', 'hello');
  const good = git('commit', '--quiet', '-m', 'first');
  assert.equal(good.status, 0, good.stderr);
  write('server.pem', 'secret');
  const bad = git('commit', '-m', 'second');
  assert.notEqual(bad.status, 0);
  assert.match(bad.stderr, /^Vetoed by guards_commits: a private key: server\.pem \(added\)$/m);
  assert.match(bad.stderr, /git commit --no-verify/);
  assert.equal(git('log', '--oneline').stdout.trim().split('\n').length, 1);
  assert.equal(git('commit', '--quiet', '--no-verify', '-m', 'second').status, 0);
  const removed = mmm('events', 'git-hook', 'remove');
  assert.equal(removed.status, 0, removed.stderr);
  write('other.pem', 'secret');
  assert.equal(git('commit', '--quiet', '-m', 'third').status, 0);
  const tail = mmm('events', 'tail', '--type', 'before_*', 'event.vetoed', '--json');
  const { events } = JSON.parse(tail.stdout) as {
    events: { type: string; source: string; data: { branch: string } }[];
  };
  assert.deepEqual(
    events.map(({ type, source }) => [type, source]),
    [
      ['before_commit', 'app:git'],
      ['before_commit', 'app:git'],
      ['event.vetoed', 'host:plugins'],
    ],
  );
  assert.equal(events[0]?.data.branch, 'trunk');
  assert.ok(existsSync(join(home, 'audit', 'audit.jsonl')));
});

test('a hook that was there is called first, and is put back', confined, async (t) => {
  const { git, mmm, write, folder } = await repository(t);
  const hook = join(folder, '.git', 'hooks', 'pre-commit');
  mkdirSync(join(folder, '.git', 'hooks'), { recursive: true });
  const own = '#!/bin/sh\necho own >> "$(git rev-parse --show-toplevel)/own.log"\ntest ! -e stop\n';
  writeFileSync(hook, own);
  chmodSync(hook, 0o755);
  for (const time of ['first', 'again']) assert.equal(mmm('events', 'git-hook', 'install').status, 0, time);
  write('a.pem', 'x');
  const vetoedCommit = git('commit', '-m', 'vetoed');
  assert.notEqual(vetoedCommit.status, 0, mmm('audit', 'list').stdout + vetoedCommit.stderr + vetoedCommit.stdout);
  assert.equal(readFileSync(join(folder, 'own.log'), 'utf8'), 'own\n');
  writeFileSync(join(folder, 'stop'), '');
  const stopped = git('commit', '-m', 'stopped by the own hook');
  assert.equal(stopped.status, 1);
  assert.doesNotMatch(stopped.stderr, /Vetoed/);
  assert.equal(mmm('events', 'git-hook', 'remove').status, 0);
  assert.equal(readFileSync(hook, 'utf8'), own);
  assert.match(mmm('events', 'git-hook', 'remove').stdout, /is not mmm's/);
});

test('worktrees and core.hooksPath are respected, and what others share is left alone', confined, async (t) => {
  const { git, mmm, write, folder, env } = await repository(t);
  write('readme.md', 'hello');
  assert.equal(git('commit', '--quiet', '-m', 'first').status, 0);
  assert.equal(git('worktree', 'add', '--quiet', '../tree', '-b', 'other').status, 0);
  const tree = join(folder, '..', 'tree');
  assert.equal(mmm('events', 'git-hook', 'install', '--repo', tree).status, 0);
  writeFileSync(join(tree, 'b.pem'), 'x');
  spawnSync('git', ['add', 'b.pem'], { cwd: tree, env });
  const vetoed = spawnSync('git', ['commit', '-m', 'x'], { cwd: tree, env, encoding: 'utf8' });
  assert.match(vetoed.stderr, /Vetoed by guards_commits: a private key: b\.pem/);
  assert.ok(existsSync(join(folder, '.git', 'hooks', 'pre-commit')));
  assert.equal(mmm('events', 'git-hook', 'remove').status, 0);

  assert.equal(git('config', 'core.hooksPath', '.githooks').status, 0);
  assert.equal(mmm('events', 'git-hook', 'install').status, 0);
  assert.ok(existsSync(join(folder, '.githooks', 'pre-commit')));
  write('c.pem', 'x');
  assert.match(git('commit', '-m', 'x').stderr, /Vetoed/);

  assert.equal(git('config', 'core.hooksPath', join(folder, '..', 'shared')).status, 0);
  const refused = mmm('events', 'git-hook', 'install');
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /outside of this repository/);
  assert.ok(!existsSync(join(folder, '..', 'shared', 'pre-commit')));
});
