import { realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { MmmError } from '@mmm/protocol';
import type { ForwarderTools } from '../egress/forwarder.ts';
import type { PermittedPlugin } from '../permit/permitted.ts';
import type { LimitValues } from '../settings/limits.ts';
import { prepareDataDirectory } from './data-directory.ts';
import { deviceNodes, soundFolder } from './devices.ts';
import { type AgreedPlaces, grantMounts } from './filesystem-grants.ts';
import { landlockCommand } from './landlock.ts';
import type { LaunchCommand } from './launch-command.ts';
import { type LibraryLayout, libraryLayout } from './library-layout.ts';
import { runnablePaths } from './noexec-stage.ts';
import { noneCommand, stagePaths } from './none.ts';
import { cannotLeaveRoot, type SandboxProbe } from './probe.ts';
import { type ProcessLaunch, processCommand } from './process.ts';
import { insidePaths } from './profile.ts';
import { findCommand, findProgram, type ProgramSearch } from './program.ts';
import { hardLimits, resourceLimits } from './resource-limits.ts';
import type { SandboxTools } from './tools.ts';
import { refuseBeyondLandlock, refuseUnmet, unavailable } from './unmet.ts';

/** What confinement needs to know about the machine and this host: given, never looked up in globals. */
export interface SandboxMachine {
  /** What this machine can enforce; run once per process and remembered. */
  probe(): Promise<SandboxProbe>;
  /** $MMM_HOME: never visible to a plugin, whatever is granted. */
  readonly homeDirectory: string;
  /** This plugin's writable folder. Made if it is missing; its parent must be there. */
  readonly dataDirectory: string;
  /** The uid a root host launches this plugin under. Ignored by an ordinary user's host, which has only its own. */
  readonly uid: number;
  /** The user named this plugin for level `none`: it then runs without bubblewrap. */
  readonly allowNone: boolean;
  /** Landlock will do where bubblewrap does not work: for this plugin by its name, or for all. Default: false. */
  readonly allowLandlock?: boolean;
  /** What this plugin may use. */
  readonly limits: LimitValues;
  /** The Node that runs `node` plugins: the host's own. */
  readonly nodePath: string;
  /** Where granted environment variables take their values from. */
  readonly environment: Readonly<Record<string, string>>;
  /** What `${project}` in a filesystem grant means. */
  readonly project?: string;
  /** What `${home}` in a filesystem grant means. Default: the home folder of the user the host runs as. */
  readonly userHome?: string;
  /** What the granted paths led to when they were agreed to. Default: nothing is known of it. */
  readonly places?: AgreedPlaces;
  /** Where the sound cards are. Default: where Linux has them. */
  readonly soundFolder?: string;
  /** Folders searched for programs, in order. */
  readonly programPath: readonly string[];
}

/**
 * Decides how a plugin is confined and returns the one command that starts it so. Fails closed: without a sandbox that
 * works it throws SANDBOX_UNAVAILABLE, unless the user named this plugin for level `none`. Throws PROGRAM_NOT_FOUND,
 * GRANT_INVALID, GRANT_UNUSABLE and LAUNCH_FAILED for what the plugin or its grants lack.
 */
export async function confine(plugin: PermittedPlugin, machine: SandboxMachine): Promise<LaunchCommand> {
  const { id, manifest } = plugin.spec;
  const command = manifest.targets?.[`${process.platform}-${process.arch}`]?.command ?? manifest.plugin.command;
  if (command === undefined) throw withoutCommand(id);
  const ownUid = process.getuid?.() ?? 0;
  const dropsRoot = ownUid === 0;
  const uid = dropsRoot ? machine.uid : ownUid;
  if (uid === 0)
    throw unavailable(id, 'process', 'a plugin never runs as root, and no other uid was given for it.', '');
  const probe = await machine.probe();
  if (!machine.allowNone) refuseUnmet(plugin, probe, machine.allowLandlock === true);
  const [ceiling, layout] = await Promise.all([
    hardLimits(),
    libraryLayout(),
    prepareDataDirectory(id, machine.dataDirectory, uid),
  ]);
  const base = {
    plugin: id,
    dropsRoot,
    uid,
    tools: probe.tools,
    limits: resourceLimits(machine.limits),
    ceiling,
    bundleDirectory: plugin.bundleDirectory,
    dataDirectory: machine.dataDirectory,
    granted: plugin.granted,
    environment: machine.environment,
  };
  if (machine.allowNone) {
    if (dropsRoot) requireDrop(id, probe);
    const { argv } = await findProgram(command, programSearch(plugin, machine, layout, dropsRoot ? 'stage' : 'host'));
    return noneCommand({ ...base, nodePath: machine.nodePath, argv });
  }
  const byLandlock = probe.mechanism === 'landlock';
  const search = programSearch(plugin, machine, layout, byLandlock ? (dropsRoot ? 'stage' : 'host') : 'sandbox');
  const commands = plugin.granted.flatMap((permission) => (permission.kind === 'commands' ? [permission.name] : []));
  const user = { plugin: id, uid, dropsRoot, folder: machine.soundFolder ?? soundFolder };
  const [program, grants, devices, ...granted] = await Promise.all([
    findProgram(command, search),
    filesystemOf(plugin, machine, uid, dropsRoot),
    deviceNodes(plugin.granted, user),
    ...commands.map((name) => findCommand(name, search)),
  ]);
  const found = {
    ...base,
    architecture: process.arch,
    layout,
    argv: program.argv,
    programs: [...program.mounts, ...granted.flat()],
    grants: grants.mounts,
  };
  if (byLandlock && probe.tools.helper !== null) {
    refuseBeyondLandlock(plugin, grants.hidden);
    const { abi } = probe.landlock;
    return landlockCommand({ ...found, helper: probe.tools.helper, abi, nodePath: machine.nodePath });
  }
  return await underBubblewrap({ ...found, devices, hidden: grants.hidden }, plugin, machine, probe);
}

async function underBubblewrap(
  found: Omit<ProcessLaunch, 'forwarder' | 'runnable' | 'bubblewrap' | 'bindsDescriptors'>,
  plugin: PermittedPlugin,
  machine: SandboxMachine,
  { bubblewrap, tools }: SandboxProbe,
): Promise<LaunchCommand> {
  const forwarder = forwarderTools(plugin, tools);
  const { layout, programs } = found;
  const helpers = Object.values(tools).flatMap((tool) => (typeof tool === 'string' ? [tool] : []));
  const own = [plugin.bundleDirectory, machine.dataDirectory, ...(tools.helper === null ? [] : [tools.helper.path])];
  const shown = [...own, ...layout.folders, ...layout.files, ...programs.map(({ source }) => source), ...helpers];
  return processCommand({
    ...found,
    ...(forwarder === undefined ? {} : { forwarder }),
    runnable: found.grants.length === 0 ? [] : await runnablePaths(shown),
    bubblewrap: bubblewrap.path ?? '',
    bindsDescriptors: bubblewrap.bindsDescriptors,
  });
}

/** What brings granted hosts into the sandbox; undefined without such grants. Missing tools refuse the launch. */
function forwarderTools(plugin: PermittedPlugin, tools: SandboxTools): ForwarderTools | undefined {
  if (!plugin.granted.some(({ kind }) => kind === 'network')) return undefined;
  const { setpriv, nsenter, socat } = tools;
  if (setpriv !== null && nsenter !== null && socat !== null) return { setpriv, nsenter, socat };
  const missing = Object.entries({ setpriv, nsenter, socat }).filter(([, path]) => path === null);
  const names = missing.map(([name]) => name).join(' and ');
  const reason = `it was granted hosts, and without ${names} none can be reached from inside the sandbox.`;
  const fix = 'Install socat and util-linux; `mmm doctor` names the command.';
  const sentence = `Plugin "${plugin.spec.id}" was not started: ${reason} ${fix}`;
  throw new MmmError('SANDBOX_UNAVAILABLE', sentence, { plugin: plugin.spec.id, wanted: 'network', reason });
}

async function filesystemOf(plugin: PermittedPlugin, machine: SandboxMachine, uid: number, dropsRoot: boolean) {
  return await grantMounts(plugin.granted, {
    plugin: plugin.spec.id,
    dataDirectory: machine.dataDirectory,
    homeDirectory: await realpath(machine.homeDirectory).catch(() => machine.homeDirectory),
    userHome: machine.userHome ?? homedir(),
    project: machine.project,
    uid,
    dropsRoot,
    agreed: machine.places,
  });
}

function programSearch(
  plugin: PermittedPlugin,
  machine: SandboxMachine,
  layout: LibraryLayout,
  from: 'sandbox' | 'stage' | 'host',
): ProgramSearch {
  const views = {
    sandbox: { bundle: insidePaths.plugin, node: insidePaths.node },
    stage: { bundle: stagePaths.plugin, node: stagePaths.node },
    host: { bundle: plugin.bundleDirectory, node: machine.nodePath },
  };
  return {
    plugin: plugin.spec.id,
    bundleDirectory: plugin.bundleDirectory,
    nodePath: machine.nodePath,
    programPath: machine.programPath,
    layout,
    view: views[from],
  };
}

/** Level none is not a way to run as root: what leaves root must be there. */
function requireDrop(id: string, { tools }: SandboxProbe): void {
  const missing = cannotLeaveRoot(tools);
  if (missing === undefined) return;
  const reason = `${missing}, so the plugin could not leave root.`;
  throw unavailable(id, 'none', reason, 'Install util-linux, or run the host as an ordinary user.');
}

function withoutCommand(plugin: string): MmmError {
  const reason = `its manifest has no command for ${process.platform}-${process.arch}`;
  return new MmmError('LAUNCH_FAILED', `Plugin "${plugin}" cannot be started: ${reason}.`, {
    plugin,
    stage: 'sandbox',
    reason,
    stderrTail: '',
  });
}
