import { spawn } from 'node:child_process';

export interface GitRequest {
  /** Absolute path of the working tree. */
  readonly repository: string;
  /** Everything after `git` and the options every run gets. One word each; there is no shell. */
  readonly args: readonly string[];
  readonly input?: string;
  readonly signal?: AbortSignal;
  /** Output beyond this many bytes is left out and the program ended. */
  readonly bytesMax?: number;
  readonly hooks?: boolean;
  readonly author?: { readonly name: string; readonly email: string };
}

export interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The output was longer than `bytesMax`. */
  readonly cut: boolean;
}

/** Runs git once. Resolves with any exit code; rejects when git cannot be started or the signal aborts. */
export type GitProgram = (request: GitRequest) => Promise<GitResult>;

const outputBytesMax = 4 * 1024 * 1024;
const stderrBytesMax = 64 * 1024;

/**
 * A repository may come from anywhere, and its configuration can name programs: what git would run of its own accord is
 * switched off. What is left runs inside the plugin's sandbox.
 */
const fixedSettings: Readonly<Record<string, string>> = {
  'core.fsmonitor': 'false',
  'core.pager': 'cat',
  'core.quotePath': 'false',
  'commit.gpgSign': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'protocol.allow': 'never',
  'safe.bareRepository': 'explicit',
  'user.useConfigOnly': 'true',
};

/** The `git` on the PATH, with nothing of the user's configuration and of `environment` only the PATH. */
export function gitProgram(environment: Readonly<Record<string, string | undefined>>): GitProgram {
  return (request) => run(request, environment.PATH ?? '/usr/bin:/bin');
}

/** The words after `git` for one run. */
export function gitArguments({ repository, args, hooks = false }: GitRequest): string[] {
  const settings = { ...fixedSettings, ...(hooks ? {} : { 'core.hooksPath': '/dev/null' }) };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['--no-pager', '-C', repository, ...options, ...args];
}

/** The whole environment of one run. */
export function gitEnvironment({ repository, author }: GitRequest, path: string): Record<string, string> {
  return {
    PATH: path,
    LC_ALL: 'C.UTF-8',
    HOME: '/nonexistent',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    // A question about a repository must not write into it.
    GIT_OPTIONAL_LOCKS: '0',
    // A path is a path: no wildcard and no `:(magic)` in it.
    GIT_LITERAL_PATHSPECS: '1',
    // The folder itself is the repository, never one above it.
    GIT_CEILING_DIRECTORIES: repository.slice(0, Math.max(1, repository.lastIndexOf('/'))),
    ...(author === undefined
      ? {}
      : {
          GIT_AUTHOR_NAME: author.name,
          GIT_AUTHOR_EMAIL: author.email,
          GIT_COMMITTER_NAME: author.name,
          GIT_COMMITTER_EMAIL: author.email,
        }),
  };
}

function run(request: GitRequest, path: string): Promise<GitResult> {
  const { input = '', signal, bytesMax = outputBytesMax } = request;
  return new Promise((resolve, reject) => {
    const child = spawn('git', gitArguments(request), {
      cwd: '/',
      env: gitEnvironment(request, path),
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      ...(signal === undefined ? {} : { signal }),
    });
    const stdout = new Bounded(bytesMax, () => child.kill());
    const stderr = new Bounded(stderrBytesMax);
    child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
    // git may end without reading its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code: code ?? -1, stdout: stdout.text(), stderr: stderr.text(), cut: stdout.isFull });
    });
  });
}

/** Keeps the beginning of what is added, and tells once when more came. */
class Bounded {
  readonly #max: number;
  readonly #onFull: () => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  isFull = false;

  constructor(max: number, onFull: () => void = () => undefined) {
    this.#max = max;
    this.#onFull = onFull;
  }

  add(chunk: Buffer): void {
    if (this.isFull) return;
    const rest = this.#max - this.#bytes;
    this.#chunks.push(chunk.subarray(0, rest));
    this.#bytes += Math.min(chunk.length, rest);
    if (chunk.length <= rest) return;
    this.isFull = true;
    this.#onFull();
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
