import { permissionKey } from '@mmm/protocol';
import type { AuditLog } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { type HandshakeServices, handshake } from './handshake/handshake.ts';
import type { Session } from './handshake/session.ts';
import { type InstallStepServices, runInstallStep } from './install-step.ts';
import { type PermitServices, permit } from './permit/permit.ts';
import type { PermittedPlugin } from './permit/permitted.ts';
import { policyRefused } from './permit/policy.ts';
import { confine, type SandboxMachine } from './sandbox/confine.ts';
import type { LaunchCommand } from './sandbox/launch-command.ts';
import type { Child } from './spawn/child.ts';
import { type SpawnServices, spawn } from './spawn/spawn.ts';
import { reverify, type VerifyServices, verify } from './verify/verify.ts';

/** What each stage needs, made for one launch by the host. */
export interface LaunchServices {
  readonly verify: VerifyServices;
  readonly permit: PermitServices;
  /** Binds the plugin's data and uid to its publisher. */
  sandbox(plugin: PermittedPlugin): SandboxMachine;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Waits for a turn to start a process; what it resolves with ends the turn. Rejects when the signal aborts. */
  turn(signal: AbortSignal): Promise<() => void>;
  readonly spawn: SpawnServices;
  /** What the plugin is configured with. Throws when that is not whole; it is then not spawned. */
  config(plugin: PermittedPlugin): Promise<HandshakeServices['config']>;
  readonly handshake: Omit<HandshakeServices, 'config'>;
  /** Where it is kept whether the plugin's install step ran, and where its output goes. */
  readonly installStep: Pick<InstallStepServices, 'clock' | 'steps' | 'now' | 'onOutput'>;
  /** Present when the process is started ahead of its use. */
  readonly standby?: StandbyLaunch;
}

/** A launch of a process that nobody calls yet. */
export interface StandbyLaunch {
  /** Told as what it was admitted; two launches that were admitted as the same lead to the same. */
  admitted(as: string): void;
  /** Keeps the started process until it is wanted. Resolves with how long, in milliseconds; rejects to end it. */
  hold?(child: Child): Promise<number>;
}

/** What decides about a launch. */
interface Admitted {
  readonly permitted: PermittedPlugin;
  readonly config: HandshakeServices['config'];
}

/** Everything before the sandbox: throws why the plugin may not be launched now. Starts nothing. */
async function admit(spec: PluginSpec, services: AdmissionServices): Promise<Admitted> {
  const permitted = await permit(await verify(spec, services.verify), services.permit);
  return { permitted, config: await services.config(permitted) };
}

export type AdmissionServices = Pick<LaunchServices, 'verify' | 'permit' | 'config'>;

/** As what a launch would be admitted now: content, publisher, grants and configuration. Throws as `launch` does. */
export async function admission(spec: PluginSpec, services: AdmissionServices): Promise<string> {
  return admittedAs(await admit(spec, services));
}

function admittedAs({ permitted, config }: Admitted): string {
  const { bundleSha256, trust, granted } = permitted;
  return JSON.stringify([bundleSha256, trust, granted.map(permissionKey).sort(), config]);
}

/**
 * The sentence: verify → permit → sandbox → spawn → handshake. Each stage takes what the one before returned, so that
 * skipping one does not compile. Nothing before `spawn` runs a byte of the plugin.
 */
export async function launch(spec: PluginSpec, services: LaunchServices, signal: AbortSignal): Promise<Session> {
  const admitted = await admit(spec, services);
  const { permitted, config } = admitted;
  await runInstallStep(permitted, stepServices(services), signal);
  const command = await confine(permitted, services.sandbox(permitted));
  const refusal = services.permit.policy.refusesConfinement(command);
  if (refusal !== undefined) throw policyRefused(spec.id, refusal, services.audit);
  const endTurn = await services.turn(signal);
  try {
    record(permitted, command, services);
    services.standby?.admitted(admittedAs(admitted));
    // After everything that takes time or calls others.
    await reverify(permitted, services.verify);
    const child = await spawn(command, services.spawn);
    let { launchedAtMs } = services.handshake;
    if (services.standby?.hold !== undefined) {
      endTurn();
      launchedAtMs += await held(child, services.standby.hold(child), signal);
    }
    return await handshake(child, command, permitted, { ...services.handshake, config, launchedAtMs }, signal);
  } finally {
    endTurn();
  }
}

/** The part of a launch that runs a plugin's install step, if that is due. Throws as `launch` does. */
export async function prepare(
  spec: PluginSpec,
  services: Omit<LaunchServices, 'config' | 'handshake'>,
  signal: AbortSignal,
): Promise<void> {
  const permitted = await permit(await verify(spec, services.verify), services.permit);
  await runInstallStep(permitted, stepServices(services), signal);
}

function stepServices(services: Omit<LaunchServices, 'config' | 'handshake'>): InstallStepServices {
  return { ...services, ...services.installStep, policy: services.permit.policy };
}

/** A process whose wait is called off, or that nobody vouches for any more, is ended and not left behind. */
async function held(child: Child, wanted: Promise<number>, signal: AbortSignal): Promise<number> {
  const called = new AbortController();
  const calledOff = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: called.signal });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([wanted, calledOff]);
  } catch (error) {
    child.kill('SIGKILL');
    await child.exited;
    throw error;
  } finally {
    called.abort();
  }
}

/** A launch that cannot be recorded does not happen: `append` throws. */
function record(plugin: PermittedPlugin, command: LaunchCommand, { audit, standby }: LaunchServices): void {
  const { level, mechanism, uid, enforcement } = command;
  const { bundleSha256, trust } = plugin;
  const detail = {
    version: plugin.spec.manifest.plugin.version,
    bundle: bundleSha256,
    trust,
    level,
    mechanism,
    uid,
    enforcement,
    ...(standby === undefined ? {} : { standby: standby.hold === undefined ? 'initialized' : 'loaded' }),
  };
  if (level === 'none') audit.append({ action: 'sandbox_none', plugin: plugin.spec.id, detail });
  if (mechanism === 'landlock') audit.append({ action: 'sandbox_landlock', plugin: plugin.spec.id, detail });
  audit.append({
    action: 'launch',
    plugin: plugin.spec.id,
    detail: { ...detail, permissions: plugin.granted.map(permissionKey), automatic: plugin.automatic },
  });
}
