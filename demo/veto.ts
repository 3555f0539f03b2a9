import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, print, type Stage, title } from './stage.ts';

/** A repository of its user's, with mmm behind its pre-commit hook: git itself does the commit, or does not. */
export async function veto(stage: Stage): Promise<void> {
  title('10. Hooks: git asks the plugins before it commits, and one says no');
  const folder = stage.copy('demo/plugins/guard');
  await stage.mmm(['plugin', 'sign', folder]);
  await stage.mmm(['plugin', 'install', folder]);
  const repository = join(stage.directory, 'keys');
  mkdirSync(repository);
  const environment = {
    ...{ PATH: process.env.PATH, HOME: stage.directory, MMM_HOME: stage.home },
    ...{ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
    ...{ GIT_AUTHOR_NAME: 'Demo', GIT_AUTHOR_EMAIL: 'demo@example.com' },
    ...{ GIT_COMMITTER_NAME: 'Demo', GIT_COMMITTER_EMAIL: 'demo@example.com' },
  };
  const git = (...words: string[]): { readonly status: number | null; readonly said: string } => {
    print(`$ git ${words.map((word) => (/\s/.test(word) ? `'${word}'` : word)).join(' ')}`);
    const { status, stdout, stderr } = spawnSync('git', words, {
      cwd: repository,
      encoding: 'utf8',
      env: environment,
    });
    const said = `${stdout}${stderr}`.trim();
    if (said !== '') print(`  ${said.split('\n').join('\n  ')}`);
    return { status, said };
  };
  git('init', '--quiet');
  await stage.mmm(['events', 'git-hook', 'install', '--repo', repository]);
  writeFileSync(join(repository, 'readme.md'), 'hello\n');
  git('add', 'readme.md');
  expect('git commits what nobody objects to', git('commit', '--quiet', '-m', 'First').status === 0);
  writeFileSync(join(repository, 'server.pem'), 'a secret\n');
  git('add', 'server.pem');
  const refused = git('commit', '--quiet', '-m', 'Second');
  expect('the plugin vetoes the key', refused.status !== 0 && /Vetoed by guard/.test(refused.said));
  const log = git('log', '--format=%s');
  expect('there is no second commit', log.said === 'First');
}
