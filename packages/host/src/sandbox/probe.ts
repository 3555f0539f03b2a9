import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { MmmError } from '@mmm/protocol';
import { defaultLimits } from '../settings/limits.ts';
import { prepareDataDirectory } from './data-directory.ts';
import type { EnforcementReport, LaunchCommand } from './launch-command.ts';
import { libraryLayout } from './library-layout.ts';
import { nothingEnforced } from './none.ts';
import { processCommand } from './process.ts';
import { findProgram } from './program.ts';
import { hardLimits, resourceLimits } from './resource-limits.ts';
import { findTool, findTools, programPath, run, type SandboxTools } from './tools.ts';

/** What this machine offers, found out by running it. */
export interface SandboxProbe {
  readonly bubblewrap: {
    /** Absolute path, or null when it is not installed. */
    readonly path: string | null;
    readonly version: string | null;
    /** The profile that plugins get ran a program to its end. */
    readonly works: boolean;
    /** Why it does not work, as a sentence; null when it does. */
    readonly reason: string | null;
  };
  readonly mechanism: 'bubblewrap' | 'none';
  readonly dimensions: EnforcementReport;
  /** The command that would mend it. Present only when something is missing. */
  readonly advice?: string;
  readonly tools: SandboxTools;
}

export interface ProbeOptions {
  /** The uid a root host would launch under; an ordinary user's own. */
  readonly uid: number;
  /** $MMM_HOME. */
  readonly home: string;
  readonly nodePath: string;
  /** Instead of looking for bubblewrap; null stands for a machine without it. */
  readonly bubblewrap?: string | null;
}

const remembered = new Map<string, Promise<SandboxProbe>>();

/** Runs the real profile on a tiny program, once per process and uid. Never throws: what fails is the answer. */
export function probeSandbox(options: ProbeOptions): Promise<SandboxProbe> {
  const key = `${options.uid} ${options.bubblewrap === undefined ? 'found' : options.bubblewrap}`;
  const probe = remembered.get(key) ?? examine(options);
  remembered.set(key, probe);
  return probe;
}

async function examine(options: ProbeOptions): Promise<SandboxProbe> {
  const isRoot = process.getuid?.() === 0;
  const path = options.bubblewrap === undefined ? findTool('bwrap') : options.bubblewrap;
  const [tools, version] = await Promise.all([findTools(isRoot), path === null ? null : bubblewrapVersion(path)]);
  const refuse = async (reason: string, advice: string): Promise<SandboxProbe> => ({
    bubblewrap: { path, version, works: false, reason },
    mechanism: 'none',
    dimensions: nothingEnforced,
    advice,
    tools,
  });
  if (path === null) return refuse('bubblewrap is not installed.', await installCommand('bubblewrap'));
  if (isRoot && tools.setpriv === null) {
    return refuse('setpriv is not installed, so a plugin could not leave root.', await installCommand('util-linux'));
  }
  if (isRoot && options.uid === 0) return refuse('Plugins never run as root.', 'Give plugins a uid of their own.');
  try {
    const command = await tinyLaunch(path, tools, isRoot, options);
    const failure = await runTiny(command.launch).finally(command.clean);
    if (failure !== null) return await refuse(`bubblewrap failed: ${failure}`, await namespaceAdvice(failure));
    const missing = missingPackage(tools);
    return {
      bubblewrap: { path, version, works: true, reason: null },
      mechanism: 'bubblewrap',
      dimensions: command.launch.enforcement,
      ...(missing === undefined ? {} : { advice: await installCommand(missing) }),
      tools,
    };
  } catch (error) {
    const reason = error instanceof MmmError || error instanceof Error ? error.message : String(error);
    return await refuse(`The sandbox could not be tried: ${reason}`, 'Mend what is named there.');
  }
}

/** The launch of `true` with exactly the options a plugin gets, in folders of its own. */
async function tinyLaunch(
  bubblewrap: string,
  tools: SandboxTools,
  dropsRoot: boolean,
  options: ProbeOptions,
): Promise<{ launch: LaunchCommand; clean(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'mmm-probe-'));
  const clean = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const bundle = join(folder, 'bundle');
    const data = join(folder, 'data');
    await mkdir(bundle, { mode: 0o755 });
    await prepareDataDirectory('probe', data, options.uid);
    const layout = await libraryLayout();
    const program = await findProgram(['true'], {
      plugin: 'probe',
      bundleDirectory: bundle,
      nodePath: options.nodePath,
      programPath,
      layout,
      view: { bundle: '/plugin', node: '/usr/bin/node' },
    });
    const launch = processCommand({
      plugin: 'probe',
      bubblewrap,
      granted: [],
      environment: {},
      dropsRoot,
      uid: options.uid,
      architecture: process.arch,
      layout,
      tools,
      limits: resourceLimits(defaultLimits),
      ceiling: await hardLimits(),
      bundleDirectory: bundle,
      dataDirectory: data,
      argv: program.argv,
      programs: program.mounts,
      grants: [],
      hidden: [],
    });
    return { launch, clean };
  } catch (error) {
    await clean();
    throw error;
  }
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

async function bubblewrapVersion(path: string): Promise<string | null> {
  const { stdout } = await run(path, ['--version']);
  return /\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? null;
}

/** The package without which confined plugins run, but not as they should. */
function missingPackage({ prlimit, nsenter, setpriv, socat }: SandboxTools): string | undefined {
  if (prlimit === null || nsenter === null || setpriv === null) return 'util-linux';
  return socat === null ? 'socat' : undefined;
}

/** The command that installs a package on this distribution. */
async function installCommand(packageName: string): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const names = /^ID=(.*)$/m.exec(text)?.[1] ?? '';
  const likes = /^ID_LIKE=(.*)$/m.exec(text)?.[1] ?? '';
  const family = `${names} ${likes}`.replaceAll('"', '').split(/\s+/);
  const commands: readonly [families: readonly string[], command: string][] = [
    [['debian', 'ubuntu'], 'apt-get install'],
    [['fedora', 'rhel', 'centos'], 'dnf install'],
    [['arch'], 'pacman -S'],
    [['alpine'], 'apk add'],
    [['suse', 'opensuse'], 'zypper install'],
  ];
  const found = commands.find(([families]) => families.some((candidate) => family.includes(candidate)));
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return found === undefined ? `Install the package ${packageName}.` : `${sudo}${found[1]} ${packageName}`;
}

/** What forbids namespaces to ordinary users, and the command that allows them. */
async function namespaceAdvice(failure: string): Promise<string> {
  const value = async (file: string): Promise<string> => (await readFile(file, 'utf8').catch(() => '')).trim();
  if ((await value('/proc/sys/kernel/unprivileged_userns_clone')) === '0') {
    return 'sudo sysctl -w kernel.unprivileged_userns_clone=1';
  }
  if ((await value('/proc/sys/user/max_user_namespaces')) === '0')
    return 'sudo sysctl -w user.max_user_namespaces=15000';
  if ((await value('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')) === '1') {
    return 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
  }
  return /namespace|Operation not permitted|setting up uid map/.test(failure)
    ? 'Allow namespaces here; for a container: --security-opt seccomp=unconfined --cap-add SYS_ADMIN.'
    : 'Mend what bubblewrap names there.';
}
