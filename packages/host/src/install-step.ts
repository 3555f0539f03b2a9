import { MmmError, permissionKey } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { AuditSink } from './audit/audit-log.ts';
import { safeLines } from './display/safe-text.ts';
import { recordId } from './identity.ts';
import type { PermittedPlugin } from './permit/permitted.ts';
import { type PermissionPolicy, policyRefused } from './permit/policy.ts';
import { confine, type SandboxMachine } from './sandbox/confine.ts';
import type { Child } from './spawn/child.ts';
import { readLines } from './spawn/read-lines.ts';
import { type SpawnServices, spawn } from './spawn/spawn.ts';
import type { InstallStepRecord, InstallStepStore } from './store/consent.ts';
import { reverify, type VerifyServices } from './verify/verify.ts';

export interface InstallStepServices {
  readonly verify: VerifyServices;
  readonly policy: PermissionPolicy;
  sandbox(plugin: PermittedPlugin): SandboxMachine;
  readonly audit: AuditSink;
  turn(signal: AbortSignal): Promise<() => void>;
  readonly spawn: SpawnServices;
  readonly clock: Clock;
  readonly steps: InstallStepStore;
  now(): Date;
  /** A line of its standard output. */
  onOutput(line: string, cut: boolean): void;
}

/** Longest line of its output that is kept whole. */
const lineBytesMax = 64 * 1024;

/**
 * Whether the install step of this bundle has yet to run. A plugin under development has none: each change of a file
 * would run it; neither has one that is part of the program.
 */
export function isStepDue({ spec, bundleSha256 }: PermittedPlugin, steps: InstallStepStore): boolean {
  if (spec.manifest.install === undefined) return false;
  if (spec.origin === 'development' || spec.origin === 'registered') return false;
  const state = steps.get(recordId(spec), bundleSha256)?.state;
  return state === undefined || state === 'failed';
}

/**
 * Runs the step if it is due, as the plugin itself is run: verified, under its grants, in the same sandbox and as the
 * same user, within its deadline, what it prints in the plugin's log. Recorded and audited. Throws
 * INSTALL_STEP_FAILED; it is then still due.
 */
export async function runInstallStep(
  plugin: PermittedPlugin,
  services: InstallStepServices,
  signal: AbortSignal,
): Promise<void> {
  const { install } = plugin.spec.manifest;
  if (install === undefined || !isStepDue(plugin, services.steps)) return;
  const asStep = withCommand(plugin, install.command);
  const command = await confine(asStep, services.sandbox(plugin));
  const refusal = services.policy.refusesConfinement(command);
  if (refusal !== undefined) throw policyRefused(plugin.spec.id, refusal, services.audit);
  const endTurn = await services.turn(signal);
  try {
    signal.throwIfAborted();
    const { level, mechanism, uid } = command;
    const permissions = plugin.granted.map(permissionKey);
    const how = { level, mechanism, uid, permissions };
    const detail = { state: 'started', bundle: plugin.bundleSha256, command: install.command, ...how };
    services.audit.append({ action: 'install_step', plugin: plugin.spec.id, detail });
    await reverify(plugin, services.verify);
    const child = await spawn(command, services.spawn);
    const failure = await outcome(child, install.timeout_s * 1000, services, signal);
    signal.throwIfAborted();
    end(plugin, { state: failure === undefined ? 'done' : 'failed', detail: failure ?? '' }, services);
    if (failure !== undefined) throw stepFailed(plugin.spec.id, failure, child.stderrTail());
  } finally {
    endTurn();
  }
}

type RecordServices = Pick<InstallStepServices, 'audit' | 'steps' | 'now'>;

/** An installation reads the folder that it installs: what is recorded there is for the installed plugin. */
function installedId(spec: PermittedPlugin['spec']): string {
  return spec.origin === 'path' ? spec.id : recordId(spec);
}

/** Records that the user wants the plugin without the step of this bundle. */
export function skipInstallStep(
  plugin: { readonly spec: PermittedPlugin['spec']; readonly bundleSha256: string },
  services: RecordServices,
): void {
  if (plugin.spec.manifest.install !== undefined) end(plugin, { state: 'skipped', detail: '' }, services);
}

function end(
  { spec, bundleSha256 }: { readonly spec: PermittedPlugin['spec']; readonly bundleSha256: string },
  { state, detail }: Pick<InstallStepRecord, 'state' | 'detail'>,
  { audit, now, steps }: RecordServices,
): void {
  const reason = detail === '' ? {} : { reason: detail };
  audit.append({ action: 'install_step', plugin: spec.id, detail: { state, bundle: bundleSha256, ...reason } });
  steps.set(installedId(spec), { bundleSha256, state, detail, endedAt: now().toISOString() });
}

function withCommand(plugin: PermittedPlugin, command: string[]): PermittedPlugin {
  const { targets: _ofThePlugin, ...manifest } = plugin.spec.manifest;
  return { ...plugin, spec: { ...plugin.spec, manifest: { ...manifest, plugin: { ...manifest.plugin, command } } } };
}

/** Undefined when it ended well; else what happened, as the end of a sentence about it. */
async function outcome(
  child: Child,
  timeoutMs: number,
  { clock, onOutput }: InstallStepServices,
  signal: AbortSignal,
): Promise<string | undefined> {
  readLines(child.transport.input, lineBytesMax, clock, {
    line: (line, cut) => {
      child.addToTail?.(line);
      onOutput(line, cut);
    },
  });
  child.closeInput();
  let isLate = false;
  const late = clock.after(timeoutMs, () => {
    isLate = true;
    child.kill('SIGKILL');
  });
  const callOff = (): void => child.kill('SIGKILL');
  signal.addEventListener('abort', callOff, { once: true });
  const exit = await child.exited;
  late.cancel();
  signal.removeEventListener('abort', callOff);
  if (isLate) return `took longer than ${timeoutMs / 1000} s`;
  if (exit.sandboxFailed === true) return 'could not be confined';
  if (exit.signal !== null) return `was ended by ${exit.signal}`;
  return exit.code === 0 ? undefined : `exited with code ${exit.code ?? -1}`;
}

function stepFailed(id: string, reason: string, stderrTail: string): MmmError<'INSTALL_STEP_FAILED'> {
  const tail = stderrTail === '' ? '' : ` Its last lines:\n${safeLines(stderrTail)}`;
  const message = `The install step of plugin "${id}" ${reason}, so the plugin was not started.${tail}`;
  return new MmmError('INSTALL_STEP_FAILED', message, { plugin: id, reason, stderrTail });
}
