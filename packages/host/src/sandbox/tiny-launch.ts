import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { defaultLimits } from '../settings/limits.ts';
import { prepareDataDirectory } from './data-directory.ts';
import type { LaunchCommand } from './launch-command.ts';
import { libraryLayout } from './library-layout.ts';
import { findProgram, type ProgramSearch } from './program.ts';
import { hardLimits, resourceLimits } from './resource-limits.ts';
import { programPath } from './tools.ts';

export interface TinyLaunch {
  readonly dropsRoot: boolean;
  readonly uid: number;
  readonly nodePath: string;
  /** Where the program is seen. Default: at the paths of the host. */
  readonly view?: ProgramSearch['view'];
}

export type TinyParts = Awaited<ReturnType<typeof parts>>;

/**
 * Runs `true` with exactly what a plugin gets, in folders of its own. Null when it ran to its end, else what was
 * printed.
 */
export async function tryLaunch(
  options: TinyLaunch,
  command: (parts: TinyParts) => LaunchCommand,
): Promise<{ readonly launch: LaunchCommand; readonly failure: string | null }> {
  const folder = await mkdtemp(join(tmpdir(), 'mmm-probe-'));
  try {
    const launch = command(await parts(folder, options));
    return { launch, failure: await runTiny(launch) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function parts(folder: string, { dropsRoot, uid, nodePath, view }: TinyLaunch) {
  const bundleDirectory = join(folder, 'bundle');
  const dataDirectory = join(folder, 'data');
  await mkdir(bundleDirectory, { mode: 0o755 });
  await prepareDataDirectory('probe', dataDirectory, uid);
  const layout = await libraryLayout();
  const program = await findProgram(['true'], {
    plugin: 'probe',
    bundleDirectory,
    nodePath,
    programPath,
    layout,
    view: view ?? { bundle: bundleDirectory, node: nodePath },
  });
  return {
    plugin: 'probe',
    granted: [],
    environment: {},
    dropsRoot,
    uid,
    architecture: process.arch,
    layout,
    limits: resourceLimits(defaultLimits),
    ceiling: await hardLimits(),
    bundleDirectory,
    dataDirectory,
    nodePath,
    argv: program.argv,
    programs: program.mounts,
    grants: [],
    hidden: [],
  };
}

/** Null when it ran to its end, else what was printed. Not through spawn/: that is a later stage. */
function runTiny(command: LaunchCommand): Promise<string | null> {
  const highest = Math.max(...command.descriptors.map(({ fd }) => fd), command.statusDescriptor ?? 0);
  const stdio = Array.from({ length: highest + 1 }, (_, fd) => (fd < 2 ? ('ignore' as const) : ('pipe' as const)));
  return new Promise((resolve) => {
    const child = spawn(command.file, [...command.args], { cwd: command.cwd, env: command.env, stdio });
    let printed = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(0, 2000);
    });
    for (const { fd, bytes } of command.descriptors) {
      const pipe = child.stdio[fd] as Writable;
      pipe.on('error', () => undefined);
      pipe.end(bytes);
    }
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(null);
      else resolve(printed.trim() === '' ? `it ended with ${signal ?? `code ${code}`}` : printed.trim());
    });
  });
}
