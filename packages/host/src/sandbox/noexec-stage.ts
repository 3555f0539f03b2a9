import { realpath } from 'node:fs/promises';
import type { GrantMount } from './mount.ts';
import type { SandboxTools } from './tools.ts';

/**
 * Arguments: mount, the folders inside others that stay as they are, `--`, the others, `--`, and what to run. What is a
 * mount of its own within a folder keeps what it has: the former become such mounts. Where the shell is bash it adds to
 * the environment, which is the plugin's.
 */
const stageScript = `set -e
mount=$1; shift
while [ "$1" != -- ]; do
"$mount" --rbind "$1" "$1"
shift
done
shift
while [ "$1" != -- ]; do
"$mount" --rbind "$1" "$1"
"$mount" -o remount,bind,noexec "$1"
shift
done
shift
[ -z "$BASH_VERSION" ] || exec env -u _ -u SHLVL -u OLDPWD "$@"
exec "$@"`;

/** What a launch shows besides its grants, by the real paths: the plugin runs, or is run by, what lies there. */
export async function runnablePaths(paths: readonly string[]): Promise<readonly string[]> {
  return await Promise.all([...new Set(paths)].map((path) => realpath(path).catch(() => path)));
}

/** Grants from which no program is to be started. */
function withoutPrograms({ grants, runnable }: Pick<NoexecParts, 'grants' | 'runnable'>): string[] {
  return grants
    .filter(({ source, executable }) => !executable && !runnable.some((path) => isWithin(source, path)))
    .map(({ source }) => source);
}

function isWithin(path: string, tree: string): boolean {
  return path === tree || path.startsWith(`${tree}/`);
}

/** Whether `execute` makes a difference in this launch: without the tools everything granted may be run. */
export function holdsExecute(parts: Pick<NoexecParts, 'grants' | 'runnable' | 'tools'>): boolean {
  const { unshare, mount } = parts.tools;
  return (unshare !== null && mount !== null) || withoutPrograms(parts).length === 0;
}

export interface NoexecParts {
  readonly tools: SandboxTools;
  readonly dropsRoot: boolean;
  readonly uid: number;
  readonly grants: readonly GrantMount[];
  /** See `runnablePaths`. */
  readonly runnable: readonly string[];
}

/**
 * The words before bubblewrap that make what is granted without `execute` such that the kernel starts no program from
 * it: bubblewrap has no option for that, and keeps what a mount has. Empty when there is nothing to do, and where the
 * tools are missing: then anything that may be read may also be started. So it is with what lies among the plugin's own
 * programs and libraries.
 */
export function noexecStage({ grants, tools, dropsRoot, uid, runnable }: NoexecParts): readonly string[] {
  const folders = withoutPrograms({ grants, runnable });
  const kept = [...grants.filter(({ executable }) => executable).map(({ source }) => source), ...runnable].filter(
    (path) => folders.some((folder) => isWithin(path, folder)),
  );
  const { unshare, mount } = tools;
  if (folders.length === 0 || unshare === null || mount === null) return [];
  // Mounting takes a root, if only of a namespace. It is left again: the plugin must not seem to be root to itself.
  const enter = dropsRoot ? ['--mount', '--'] : ['--user', '--map-root-user', '--mount', '--'];
  const gid = process.getgid?.() ?? uid;
  const leave = dropsRoot ? [] : [unshare, '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--'];
  const stage = [mount, ...new Set(kept), '--', ...folders, '--'];
  return [unshare, ...enter, '/bin/sh', '-c', stageScript, 'sh', ...stage, ...leave];
}
