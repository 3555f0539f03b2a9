import { access, constants, lstat, readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { GitConfig } from './config.ts';
import { checkBranch, checkPath } from './names.ts';
import { hookNotRunnable, wrongInput } from './refused.ts';
import type { Repository } from './repository.ts';
import { parseSpec, renderMessage } from './spec-file.ts';

export interface CommitSpecInput {
  readonly repository?: string;
  readonly spec: string;
  readonly paths?: readonly string[];
  readonly all?: boolean;
  readonly commit?: boolean;
}

export interface CommitSpecOutput {
  readonly committed: boolean;
  /** Why nothing was committed; null when it was. */
  readonly reason: 'nothing_changed' | 'staged_only' | null;
  readonly commit: string | null;
  readonly branch: string | null;
  readonly message: string;
  readonly files: readonly string[];
}

const specBytesMax = 1024 * 1024;
/** What git runs around a commit. */
const commitHooks = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit'];

/** Stages the spec and what belongs to it and commits what is staged, with the message made of the spec. */
export async function commitSpec(
  repository: Repository,
  input: CommitSpecInput,
  config: GitConfig,
): Promise<CommitSpecOutput> {
  const spec = checkPath('spec', input.spec);
  const paths = (input.paths ?? []).map((path, index) => checkPath(`paths.${index}`, path));
  const message = renderMessage(config.commit_template, parseSpec(await readSpec(repository.path, spec), spec));
  const branch = await openBranch(repository, config.default_branch);
  if (input.all === true) await repository.run('stage the changes', ['add', '--all']);
  await repository.run('stage the spec', ['add', '--', spec, ...paths]);
  const staged = await repository.run('list what is staged', [
    ...['diff', '--cached', '--name-only', '-z', '--no-ext-diff', '--no-renames', '--'],
  ]);
  const files = staged.stdout.split('\0').filter((file) => file !== '');
  const outcome = { branch, message, files };
  if (files.length === 0) return { committed: false, reason: 'nothing_changed', commit: null, ...outcome };
  if (!(input.commit ?? config.auto_commit)) {
    return { committed: false, reason: 'staged_only', commit: null, ...outcome };
  }
  if (config.run_hooks) await checkHooks(repository);
  await repository.run('commit', ['commit', '--quiet', '--no-gpg-sign', '--cleanup=whitespace', '--file=-'], {
    input: message,
    hooks: config.run_hooks,
    ...(config.author === undefined ? {} : { author: config.author }),
  });
  return { committed: true, reason: null, commit: await repository.existingCommit('HEAD', 'HEAD'), ...outcome };
}

/** git passes over a hook that it may not start; whoever wants hooks to run must hear of that. */
async function checkHooks(repository: Repository): Promise<void> {
  const found = await repository.run('find the hooks', ['rev-parse', '--git-path', 'hooks'], { hooks: true });
  const folder = resolve(repository.path, found.stdout.trim());
  for (const name of commitHooks) {
    const hook = join(folder, name);
    const status = await stat(hook).catch(() => undefined);
    if (status === undefined || (status.mode & 0o111) === 0) continue;
    const isRunnable = await access(hook, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isRunnable) throw hookNotRunnable(repository.path, hook);
  }
}

/** The branch that is checked out, null for none. A repository without a commit begins with the default one. */
async function openBranch(repository: Repository, defaultBranch: string): Promise<string | null> {
  const head = await repository.run('read HEAD', ['symbolic-ref', '--quiet', '--short', 'HEAD'], { codes: [0, 1] });
  const current = head.code === 0 ? head.stdout.trim() : null;
  const wanted = checkBranch('default_branch', defaultBranch);
  if (current === wanted || (await repository.commitOf('HEAD', 'HEAD')) !== undefined) return current;
  await repository.run(`begin with the branch ${wanted}`, ['symbolic-ref', 'HEAD', `refs/heads/${wanted}`]);
  return wanted;
}

async function readSpec(repository: string, spec: string): Promise<string> {
  const path = join(repository, spec);
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) throw wrongInput('spec', `"${spec}" does not exist in ${repository}`);
  // A link, in the path or at its end, could show a file that is not part of the repository.
  const isPlain = status.isFile() && (await realpath(path)) === join(await realpath(repository), spec);
  if (!isPlain) throw wrongInput('spec', `"${spec}" is not a plain file of the repository`);
  if (status.size > specBytesMax) throw wrongInput('spec', `"${spec}" is larger than 1 MiB`);
  return await readFile(path, 'utf8');
}
