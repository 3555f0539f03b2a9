import { definePlugin, type Plugin } from '@mmm/plugin-sdk';
import { type CommitSpecInput, commitSpec } from './commit-spec.ts';
import { type GitConfig, readConfig } from './config.ts';
import { type DiffInput, diffArguments, parseNumbers, wholeLines } from './diff.ts';
import { type LogInput, logArguments, parseLog } from './log.ts';
import { checkPath } from './names.ts';
import type { GitProgram } from './program.ts';
import { wrongInput } from './refused.ts';
import { Repository } from './repository.ts';
import { parseStatus, statusArguments } from './status.ts';

interface Called {
  readonly config: GitConfig;
  readonly signal: AbortSignal;
}

const patchBytes = 256 * 1024;

/** The plugin over a way to run git. */
export function gitPlugin(git: GitProgram): Plugin {
  const open = ({ repository }: { readonly repository?: string }, { config, signal }: Called): Repository =>
    new Repository(git, signal, repository ?? config.repository);
  // Two commits at once would find the other one's lock, or commit what the other one staged.
  const inTurn = turns();
  return definePlugin({
    name: 'git',
    version: '1.0.0',
    config: readConfig,
    tools: {
      status: {
        execute: async (input: { readonly repository?: string }, called) =>
          parseStatus((await open(input, called).run('read the status', statusArguments)).stdout),
      },
      log: { execute: (input: LogInput, called) => log(open(input, called), input) },
      diff: { execute: (input: DiffInput, called) => diff(open(input, called), input) },
      commit_spec: {
        execute: (input: CommitSpecInput, called) => {
          const repository = open(input, called);
          return inTurn(() => commitSpec(repository, input, called.config));
        },
      },
    },
  });
}

async function log(repository: Repository, { from, limit = 20, path }: LogInput): Promise<unknown> {
  const inside = path === undefined ? undefined : checkPath('path', path);
  const start =
    from === undefined ? await repository.commitOf('from', 'HEAD') : await repository.existingCommit('from', from);
  if (start === undefined) return { commits: [] };
  const { stdout } = await repository.run('read the log', logArguments(start, limit, inside));
  return { commits: parseLog(stdout) };
}

async function diff(repository: Repository, input: DiffInput): Promise<unknown> {
  const { from, to, staged = false, max_bytes: bytesMax = patchBytes } = input;
  if (to !== undefined && from === undefined) throw wrongInput('to', 'needs from beside it');
  if (to !== undefined && staged) throw wrongInput('staged', 'compares with what is staged, so there is no to');
  const paths = (input.paths ?? []).map((path, index) => checkPath(`paths.${index}`, path));
  const between = {
    staged,
    ...(from === undefined ? {} : { from: await repository.existingCommit('from', from) }),
    ...(to === undefined ? {} : { to: await repository.existingCommit('to', to) }),
  };
  const patch = await repository.run('compare', diffArguments(between, paths, 'patch'), { bytesMax });
  const numbers = await repository.run('compare', diffArguments(between, paths, 'numbers'));
  return { files: parseNumbers(numbers.stdout), patch: wholeLines(patch.stdout, patch.cut), truncated: patch.cut };
}

/** Runs one after the other, whatever becomes of the one before. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
