import { execFile } from 'node:child_process';
import { MmmError } from '@mmm/protocol';
import type { Io } from '../io.ts';

/** A list of files has some megabytes at most. */
const outputBytesMax = 64 * 1024 * 1024;

/**
 * What git prints, without its last line end. Its environment is ours: within a hook it says which index is meant.
 * Throws USAGE with git's own words.
 */
export async function runGit(io: Pick<Io, 'env'>, folder: string, args: readonly string[]): Promise<string> {
  const options = { cwd: folder, env: { ...io.env }, maxBuffer: outputBytesMax };
  return await new Promise((resolve, reject) => {
    execFile('git', [...args], options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout.replace(/\n$/, ''));
        return;
      }
      const missing = 'code' in error && (error as NodeJS.ErrnoException).code === 'ENOENT';
      const reason = missing ? 'there is no git here' : stderr.trim().split('\n', 1)[0] || error.message;
      reject(new MmmError('USAGE', `git was asked about ${folder}, and failed: ${reason}.`, { argument: folder }));
    });
  });
}

/** As `runGit`, or undefined where git fails: on a branch without a commit, for example. */
export async function tryGit(
  io: Pick<Io, 'env'>,
  folder: string,
  args: readonly string[],
): Promise<string | undefined> {
  return await runGit(io, folder, args).catch(() => undefined);
}
