import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Where programs are looked for, in order; never the PATH of whoever started the host. */
export const programPath: readonly string[] = ['/usr/local/bin', '/usr/bin', '/bin'];

/** Absolute paths of the helpers around bubblewrap; null when one is not installed. */
export interface SandboxTools {
  readonly setpriv: string | null;
  readonly prlimit: string | null;
  readonly socat: string | null;
  readonly nsenter: string | null;
  readonly mount: string | null;
  /** Set only when a process namespace could really be made with it. */
  readonly unshare: string | null;
  /** Our own program, which does the work of all but `socat` and `nsenter`; null where it could not be compiled. */
  readonly helper: LaunchHelper | null;
}

export interface LaunchHelper {
  readonly path: string;
  /** It could really make namespaces here, those for networks included. */
  readonly namespaces: boolean;
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const runFile = promisify(execFile);

/** Runs a system program with an empty environment. Never throws: a program that is missing has code null. */
export async function run(file: string, args: readonly string[]): Promise<Ran> {
  try {
    const { stdout, stderr } = await runFile(file, [...args], {
      env: {},
      cwd: '/',
      timeout: 10_000,
      killSignal: 'SIGKILL',
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failed = error as { code?: unknown; stdout?: string; stderr?: string; message?: string };
    return {
      code: typeof failed.code === 'number' ? failed.code : null,
      stdout: failed.stdout ?? '',
      stderr: failed.stderr ?? failed.message ?? '',
    };
  }
}

/** The absolute path of a system program, or null. */
export function findTool(name: string): string | null {
  return [...programPath, '/usr/sbin', '/sbin'].map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** Looks for the helpers, and tries the one whose presence says nothing: namespaces may be forbidden. */
export async function findTools(isRoot: boolean, helper: string | null): Promise<SandboxTools> {
  const unshare = findTool('unshare');
  const user = isRoot ? [] : ['--user', '--map-current-user'];
  const helped = helper === null ? null : await run(helper, [...helperNamespaces(isRoot), '--', '/bin/true']);
  const namespace = [...user, '--pid', '--fork', '--kill-child', '--mount-proc', '--', '/bin/true'];
  // What our helper could make, the other can.
  const tried = helped?.code === 0 || unshare === null ? helped : await run(unshare, namespace);
  return {
    setpriv: findTool('setpriv'),
    prlimit: findTool('prlimit'),
    socat: findTool('socat'),
    nsenter: findTool('nsenter'),
    mount: findTool('mount'),
    unshare: tried?.code === 0 ? unshare : null,
    helper: helper === null ? null : { path: helper, namespaces: helped?.code === 0 },
  };
}

/** The words with which our helper gives a plugin namespaces of its own. */
export function helperNamespaces(isRoot: boolean): readonly string[] {
  return [...(isRoot ? [] : ['--user-namespace']), '--pid-namespace', '--net-namespace'];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
