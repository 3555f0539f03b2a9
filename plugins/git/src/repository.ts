import { checkRepository, checkRevision } from './names.ts';
import type { GitProgram, GitRequest, GitResult } from './program.ts';
import { gitFailed, wrongInput } from './refused.ts';

type RunOptions = Omit<GitRequest, 'repository' | 'args' | 'signal'> & { readonly codes?: readonly number[] };

/** One working tree, for the time of one call. */
export class Repository {
  readonly path: string;
  readonly #git: GitProgram;
  readonly #signal: AbortSignal;

  /** Throws when nobody named a repository, or not by an absolute path. Does not look whether it is there. */
  constructor(git: GitProgram, signal: AbortSignal, named: string | undefined) {
    if (named === undefined) {
      const advice = 'Name it by its absolute path, in the call or as `repository` in the configuration.';
      throw wrongInput('repository', 'is missing', advice);
    }
    this.path = checkRepository('repository', named);
    this.#git = git;
    this.#signal = signal;
  }

  /** Runs git. Throws what it said when it exits with a code that is not among `codes` (by default 0). */
  async run(what: string, args: readonly string[], options: RunOptions = {}): Promise<GitResult> {
    const { codes = [0], ...rest } = options;
    const result = await this.#git({ repository: this.path, args, signal: this.#signal, ...rest });
    if (result.cut || codes.includes(result.code)) return result;
    throw gitFailed(what, this.path, result);
  }

  /** The hash of a commit by any of its names; undefined when there is none. */
  async commitOf(field: string, revision: string): Promise<string | undefined> {
    const name = `${checkRevision(field, revision)}^{commit}`;
    const found = await this.run(`find ${revision}`, ['rev-parse', '--verify', '--quiet', '--end-of-options', name], {
      codes: [0, 1],
    });
    return found.code === 0 ? found.stdout.trim() : undefined;
  }

  /** The same, where there must be one. */
  async existingCommit(field: string, revision: string): Promise<string> {
    const commit = await this.commitOf(field, revision);
    if (commit === undefined) throw wrongInput(field, `"${revision}" does not exist in ${this.path}`);
    return commit;
  }
}
