import { MmmError } from '@mmm/protocol';
import { nativeHelper } from '../native/native-helper.ts';
import { landlockCommand } from './landlock.ts';
import type { EnforcementReport, SandboxMechanism } from './launch-command.ts';
import { nothingEnforced, stagePaths } from './none.ts';
import { installCommand, missingPackage, namespaceAdvice } from './probe-advice.ts';
import { processCommand } from './process.ts';
import { tryLaunch } from './tiny-launch.ts';
import { findTool, findTools, run, type SandboxTools } from './tools.ts';

/** What one rung of the ladder would do for a plugin on this machine, found out by running it. */
export interface SandboxRung {
  readonly mechanism: SandboxMechanism;
  /** What plugins get on it ran a program to its end. */
  readonly works: boolean;
  /** Why it does not, as a sentence; null when it does. */
  readonly reason: string | null;
  /** What it enforces; of a rung that does not work, nothing. */
  readonly dimensions: EnforcementReport;
  /** The command that would mend it. Present only when something is missing. */
  readonly advice?: string;
}

/** What this machine offers, found out by running it. */
export interface SandboxProbe {
  readonly bubblewrap: {
    /** Absolute path, or null when it is not installed. */
    readonly path: string | null;
    readonly version: string | null;
    /** It mounts what a descriptor holds: some of the same version do, and others do not. */
    readonly bindsDescriptors: boolean;
    /** The profile that plugins get ran a program to its end. */
    readonly works: boolean;
    /** Why it does not work, as a sentence; null when it does. */
    readonly reason: string | null;
  };
  readonly landlock: {
    /** What the kernel's Landlock can do, as it counts itself; 0 without, and where nothing could ask. */
    readonly abi: number;
    readonly works: boolean;
    readonly reason: string | null;
  };
  /** The best rung that works. */
  readonly mechanism: SandboxMechanism;
  /** What that one enforces. */
  readonly dimensions: EnforcementReport;
  /** Every rung, best first. The last is the one without confinement. */
  readonly rungs: readonly SandboxRung[];
  /** The command that would mend the best rung. Present only when something is missing. */
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
  /** Folders in which a C compiler is looked for. Default: those of the system. */
  readonly compilerFolders?: readonly string[];
  /** Tries every rung, not only as far as the first that works. Default: false. */
  readonly everyRung?: boolean;
  /** As `process.platform` says. */
  readonly platform?: NodeJS.Platform;
}

const remembered = new Map<string, Promise<SandboxProbe>>();

/**
 * Runs what plugins get on a tiny program, once per process and uid. Never throws: what fails is the answer. The helper
 * lies in the home that was asked for.
 */
export async function probeSandbox(options: ProbeOptions): Promise<SandboxProbe> {
  const { uid, home, bubblewrap, platform = process.platform, compilerFolders } = options;
  if (platform !== 'linux') return elsewhere(platform);
  const helper = await nativeHelper(home, compilerFolders);
  const about = helper.path === null ? helper.reason : 'helped';
  const key = JSON.stringify([uid, bubblewrap === undefined ? 'found' : bubblewrap, about, options.everyRung === true]);
  const known = remembered.get(key) ?? examine(options, helper);
  remembered.set(key, known);
  const probe = await known;
  if (probe.tools.helper === null || helper.path === null) return probe;
  return { ...probe, tools: { ...probe.tools, helper: { ...probe.tools.helper, path: helper.path } } };
}

type Helper = Awaited<ReturnType<typeof nativeHelper>>;
type Attempt = Omit<SandboxRung, 'mechanism'>;

async function examine(options: ProbeOptions, helper: Helper): Promise<SandboxProbe> {
  const isRoot = process.getuid?.() === 0;
  const path = options.bubblewrap === undefined ? findTool('bwrap') : options.bubblewrap;
  const [tools, version, binds] = await Promise.all([
    findTools(isRoot, helper.path),
    path === null ? null : bubblewrapVersion(path),
    path === null ? false : bindsDescriptors(path),
  ]);
  const bubblewrap = await tried(() => tryBubblewrap(path, tools, isRoot, options));
  const isEnough = bubblewrap.works && options.everyRung !== true;
  const abi = helper.path === null || isEnough ? 0 : await landlockVersion(helper.path);
  const landlock = isEnough
    ? refused('It was not tried, because bubblewrap works.')
    : await tried(() => tryLandlock(helper, tools, abi, isRoot, options));
  const rungs: readonly SandboxRung[] = [
    { mechanism: 'bubblewrap', ...bubblewrap },
    { mechanism: 'landlock', ...landlock },
    { mechanism: 'none', ...withoutConfinement(tools, isRoot, options) },
  ];
  const best = [rungs[0], rungs[1]].find((rung) => rung?.works === true);
  const advice = bubblewrap.advice;
  return {
    bubblewrap: { path, version, bindsDescriptors: binds, works: bubblewrap.works, reason: bubblewrap.reason },
    landlock: { abi, works: landlock.works, reason: landlock.reason },
    mechanism: best?.mechanism ?? 'none',
    dimensions: best?.dimensions ?? nothingEnforced,
    rungs,
    ...(advice === undefined ? {} : { advice }),
    tools,
  };
}

async function tried(attempt: () => Promise<Attempt>): Promise<Attempt> {
  try {
    return await attempt();
  } catch (error) {
    const reason = error instanceof MmmError || error instanceof Error ? error.message : String(error);
    return refused(`The sandbox could not be tried: ${reason}`, 'Mend what is named there.');
  }
}

function refused(reason: string, advice?: string): Attempt {
  return { works: false, reason, dimensions: nothingEnforced, ...(advice === undefined ? {} : { advice }) };
}

async function tryBubblewrap(
  path: string | null,
  tools: SandboxTools,
  dropsRoot: boolean,
  { uid, nodePath }: ProbeOptions,
): Promise<Attempt> {
  if (path === null) return refused('bubblewrap is not installed.', await installCommand('bubblewrap'));
  if (dropsRoot && tools.setpriv === null && tools.helper === null) {
    return refused('setpriv is not installed, so a plugin could not leave root.', await installCommand('util-linux'));
  }
  if (dropsRoot && uid === 0) return refused('Plugins never run as root.', 'Give plugins a uid of their own.');
  const view = { bundle: '/plugin', node: '/usr/bin/node' };
  const { launch, failure } = await tryLaunch({ dropsRoot, uid, nodePath, view }, (parts) =>
    processCommand({ ...parts, tools, bubblewrap: path, bindsDescriptors: false, runnable: [] }),
  );
  if (failure !== null) return refused(`bubblewrap failed: ${failure}`, await namespaceAdvice(failure));
  const missing = missingPackage(tools);
  const advice = missing === undefined ? {} : { advice: await installCommand(missing) };
  return { works: true, reason: null, dimensions: launch.enforcement, ...advice };
}

async function tryLandlock(
  helper: Helper,
  tools: SandboxTools,
  abi: number,
  dropsRoot: boolean,
  { uid, nodePath }: ProbeOptions,
): Promise<Attempt> {
  if (helper.path === null || tools.helper === null) {
    const why = helper.path === null ? helper.reason : 'it is gone';
    const fix = /compil/.test(why) ? await installCommand('gcc libc6-dev') : undefined;
    return refused(`It takes a program of mmm's own, which could not be made: ${why}.`, fix);
  }
  if (abi === 0) return refused('This kernel has no Landlock, or it is not turned on (lsm=landlock,...).');
  if (dropsRoot && uid === 0) return refused('Plugins never run as root.', 'Give plugins a uid of their own.');
  if (dropsRoot && !tools.helper.namespaces) {
    const reason = 'root may not mount here, and without that a plugin cannot reach its files once it has left root.';
    return refused(reason, 'Run the host as an ordinary user.');
  }
  const own = tools.helper;
  const view = dropsRoot ? { bundle: stagePaths.plugin, node: stagePaths.node } : undefined;
  const { launch, failure } = await tryLaunch({ dropsRoot, uid, nodePath, ...(view && { view }) }, (parts) =>
    landlockCommand({ ...parts, helper: own, abi }),
  );
  if (failure !== null) return refused(`Landlock failed: ${failure}`);
  return { works: true, reason: null, dimensions: launch.enforcement };
}

/** The rung that is no confinement: an ordinary user's plugin starts anywhere, root must be left first. */
function withoutConfinement(tools: SandboxTools, dropsRoot: boolean, { uid }: ProbeOptions): Attempt {
  const problem = dropsRoot ? (uid === 0 ? 'no other uid was given' : cannotLeaveRoot(tools)) : undefined;
  if (problem !== undefined) return refused(`A plugin could not leave root: ${problem}.`);
  return { works: true, reason: null, dimensions: nothingEnforced };
}

/** What is missing for a plugin of a root host at level none; undefined when nothing is. */
export function cannotLeaveRoot({ helper, setpriv, unshare }: SandboxTools): string | undefined {
  if (helper?.namespaces === true) return undefined;
  const missing = Object.entries({ setpriv, unshare }).find(([, path]) => path === null)?.[0];
  return missing === undefined ? undefined : `${missing} is not installed or not allowed`;
}

/** Elsewhere than on Linux nothing is confined yet, and this is said rather than tried. */
function elsewhere(platform: NodeJS.Platform): SandboxProbe {
  const names: { readonly [P in NodeJS.Platform]?: string } = { darwin: 'macOS', win32: 'Windows' };
  const reason = `Plugins are confined on Linux only; this is ${names[platform] ?? platform}.`;
  const none = { works: false, reason, dimensions: nothingEnforced };
  // Without uids there is nothing to leave, and what a plugin may there is what its user may.
  const unconfined = { ...none, works: platform !== 'win32', reason: platform === 'win32' ? reason : null };
  return {
    bubblewrap: { path: null, version: null, bindsDescriptors: false, works: false, reason },
    landlock: { abi: 0, works: false, reason },
    mechanism: 'none',
    dimensions: nothingEnforced,
    rungs: [
      { mechanism: 'bubblewrap', ...none },
      { mechanism: 'landlock', ...none },
      { mechanism: 'none', ...unconfined },
    ],
    advice: 'Run mmm on Linux, for example in a virtual machine.',
    tools: { setpriv: null, prlimit: null, socat: null, nsenter: null, unshare: null, mount: null, helper: null },
  };
}

async function bubblewrapVersion(path: string): Promise<string | null> {
  const { stdout } = await run(path, ['--version']);
  return /\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? null;
}

async function bindsDescriptors(path: string): Promise<boolean> {
  const { stdout, stderr } = await run(path, ['--help']);
  return /--ro-bind-fd\b/.test(stdout + stderr);
}

async function landlockVersion(helper: string): Promise<number> {
  const { code, stdout } = await run(helper, ['--landlock-version']);
  return code === 0 ? Number(stdout.trim()) : 0;
}
