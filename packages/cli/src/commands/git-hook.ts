import { realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { programCommand } from '../daemon/program-command.ts';
import { installHook, removeHook } from '../git/hook-file.ts';
import { runGit, tryGit } from '../git/run-git.ts';
import type { Io } from '../io.ts';
import { homeDirectory, withHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { emitText, noteFailed } from './events.ts';

const hookName = 'pre-commit';
/** Changed files that the event names; the number of all is beside them. */
const filesMax = 1_000;

interface PlaceOptions extends GlobalOptions {
  readonly repo?: string;
  readonly shared?: boolean;
}

/** `mmm events git-hook …`: commits of one repository that plugins may veto. */
export function addGitHookCommands(events: Command, registry: Registry): void {
  const hook = events.command('git-hook').description('lets plugins veto the commits of a git repository');
  addInstall(hook, registry);
  addRemove(hook, registry);
  addRun(hook, registry);
}

function addInstall(hook: Command, registry: Registry): void {
  const command = withGlobals(hook.command('install'))
    .description('emit before_commit before each commit; a hook that is there is kept and called first')
    .option('--repo <dir>', 'a folder of the repository instead of this one')
    .option('--shared', 'also where core.hooksPath leads to a folder that other repositories use')
    .action((options: PlaceOptions) =>
      registry.select(async (io) => {
        const { folder, file } = await placeOf(io, options);
        const home = homeDirectory(io, options);
        const run = [...programCommand(), 'events', 'git-hook', 'run', '--no-interactive', '--home', home];
        const { kept } = installHook(file, run);
        const before = kept === null ? '' : `\nThe hook that was there is called first: ${safeText(kept, 4096)}`;
        const where = `${safeText(folder, 4096)} now asks plugins first: ${safeText(file, 4096)}`;
        const text = `Each commit in ${where}${before}`;
        print(io, options, { repository: folder, file, kept }, text);
        return exitCodes.ok;
      }, options),
    );
  withExamples(command, ['mmm events git-hook install', 'mmm events git-hook install --repo ~/src/app']);
}

function addRemove(hook: Command, registry: Registry): void {
  withGlobals(hook.command('remove'))
    .description('commit without asking again; the hook that was there before is put back')
    .option('--repo <dir>', 'a folder of the repository instead of this one')
    .option('--shared', 'also where core.hooksPath leads to a folder that other repositories use')
    .action((options: PlaceOptions) =>
      registry.select(async (io) => {
        const { folder, file } = await placeOf(io, options);
        const removed = removeHook(file);
        const text = removed
          ? `Removed ${safeText(file, 4096)}.`
          : `${safeText(file, 4096)} is not mmm's, or not there.`;
        print(io, options, { repository: folder, file, removed }, text);
        return exitCodes.ok;
      }, options),
    );
}

/** What the installed hook runs. Whatever fails here keeps the commit from being made: nobody knows what was vetoed. */
function addRun(hook: Command, registry: Registry): void {
  withGlobals(hook.command('run'))
    .description('what the installed hook runs: emits before_commit with what is staged')
    .action((options: GlobalOptions) =>
      registry.select(async (io) => {
        const data = await commitData(io);
        return await withHost(io, options, async (host) => {
          const report = await host.emit('before_commit', data, { source: 'git', signal: io.interrupted });
          noteFailed(io, report);
          print(io, options, report, '');
          if (report.veto === undefined) return exitCodes.ok;
          note(io, `${emitText('before_commit', report)}\nTo commit all the same: git commit --no-verify`);
          return exitCodes.findings;
        });
      }, options),
    );
}

/** What is about to be committed, without what is in it: a plugin that may read the files can look for itself. */
async function commitData(io: Io): Promise<Readonly<Record<string, unknown>>> {
  const git = (...args: string[]): Promise<string | undefined> => tryGit(io, io.cwd, args);
  const staged = await runGit(io, io.cwd, ['diff', '--cached', '--name-status', '--no-renames', '-z']);
  const words = staged.split('\0');
  const files: { readonly status: string; readonly path: string }[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    files.push({ status: statusNames[words[at] ?? ''] ?? 'changed', path: words[at + 1] ?? '' });
  }
  return {
    repository: (await git('rev-parse', '--show-toplevel')) ?? io.cwd,
    branch: (await git('symbolic-ref', '--quiet', '--short', 'HEAD')) ?? null,
    head: (await git('rev-parse', '--verify', '--quiet', 'HEAD')) ?? null,
    files: files.slice(0, filesMax),
    files_total: files.length,
  };
}

const statusNames: Readonly<Record<string, string>> = { A: 'added', M: 'modified', D: 'deleted', T: 'type_changed' };

/** Where git looks for the hook: in the main repository for a worktree, and where core.hooksPath leads. */
async function placeOf(
  io: Io,
  { repo = '.', shared }: PlaceOptions,
): Promise<{ readonly folder: string; readonly file: string }> {
  const asked = resolve(io.cwd, repo);
  const paths = ['--path-format=absolute', '--git-common-dir', '--show-toplevel', '--git-path', 'hooks'];
  const [common = '', folder = '', hooks = ''] = (await runGit(io, asked, ['rev-parse', ...paths])).split('\n');
  if (shared !== true && !isWithin(hooks, common) && !isWithin(hooks, folder)) {
    const where = `core.hooksPath leads to ${hooks}, outside of this repository`;
    const advice = 'Pass --shared if that is what you want, or set core.hooksPath for this repository';
    const message = `${where}: others would have the hook, too. ${advice}.`;
    throw new MmmError('USAGE', message, { argument: '--repo' });
  }
  return { folder, file: join(hooks, hookName) };
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(real(folder), real(path));
  return !way.startsWith('..') && !way.startsWith('/');
}

/** A folder that is not there yet leads nowhere else. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
