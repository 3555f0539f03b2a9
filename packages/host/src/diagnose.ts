import type { DoctorCheck } from './api.ts';
import { quarantineOf } from './crash-history.ts';
import { describe, isEnabled } from './decisions.ts';
import type { DependencyReport } from './dependencies/requirements.ts';
import type { PluginSpec } from './discover/spec.ts';
import { adviceAfterExit } from './display/exit-advice.ts';
import { safeText } from './display/safe-text.ts';
import { eventsCheck } from './event-checks.ts';
import type { HostParts } from './host-parts.ts';
import { recordId } from './identity.ts';
import { grantCommand } from './permit/permit.ts';
import type { PluginState } from './plugin-state.ts';
import type { SandboxProbe } from './sandbox/probe.ts';
import { storedValuesCheck } from './storage-checks.ts';
import type { ExitRecord } from './store/store.ts';

/** One end of a plugin, with what to do about it; `next` is empty when that is nothing. */
export interface DiagnosedExit extends ExitRecord {
  readonly next: string;
}

export interface PluginDiagnosis {
  readonly id: string;
  readonly version: string;
  readonly state: PluginState['kind'];
  /** False when it would not start or does not stay up. */
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
  /** Newest first, at most `hostLimits.exitsKept`. The lines are the plugin's own: show them with `safeText`. */
  readonly exits: readonly DiagnosedExit[];
}

export interface DiagnoseServices
  extends Pick<
    HostParts,
    'catalog' | 'crashes' | 'handles' | 'dependencies' | 'decisions' | 'configurations' | 'metrics'
  > {
  readonly probe: SandboxProbe;
  readonly options: HostParts['options'];
  /** Reads every byte of it. Throws what is wrong with it. */
  verify(): Promise<unknown>;
}

/** Goes through what a launch would go through, without starting anything, and says what is in the way. */
export async function diagnose(spec: PluginSpec, services: DiagnoseServices): Promise<PluginDiagnosis> {
  const { crashes, handles, metrics, dependencies } = services;
  const handle = handles.get(spec.id);
  const quarantine = quarantineOf(spec, { crashes, handle });
  const [needed = []] = await dependencies.reports([spec]);
  const checks = [
    enabledCheck(spec, services),
    await contentCheck(spec, services),
    permissionCheck(spec, services),
    confinementCheck(spec, services),
    await configurationCheck(spec, services),
    ...needed.map(dependencyCheck),
    storedValuesCheck(services.decisions.store.values.ownUse(recordId(spec))),
    ...eventsCheck(recordId(spec), spec.id, services.decisions.store.events),
    stateCheck(spec.id, handle?.state, quarantine),
  ];
  return {
    id: spec.id,
    version: spec.manifest.plugin.version,
    state: handle?.state.kind ?? (quarantine === null ? 'stopped' : 'quarantined'),
    ok: checks.every(({ status }) => status !== 'problem'),
    checks,
    exits: metrics.read(spec.id).lastExits.map((exit) => ({ ...exit, next: adviceAfterExit(spec.id, exit) })),
  };
}

function enabledCheck(spec: PluginSpec, { decisions }: DiagnoseServices): DoctorCheck {
  if (isEnabled(spec, decisions)) return { name: 'enabled', status: 'ok', message: `yes, from ${spec.directory}` };
  const why = spec.origin === 'project' ? 'it comes with this project and was not enabled here' : 'it is disabled';
  return { name: 'enabled', status: 'problem', message: why, fix: `mmm plugin enable ${spec.id}` };
}

async function contentCheck(spec: PluginSpec, { verify }: DiagnoseServices): Promise<DoctorCheck> {
  const name = 'content';
  if (spec.origin === 'registered') return { name, status: 'ok', message: 'it is part of the program' };
  try {
    await verify();
    return { name, status: 'ok', message: 'every byte is as its publisher signed it' };
  } catch (error) {
    return { name, status: 'problem', message: messageOf(error) };
  }
}

function permissionCheck(spec: PluginSpec, { decisions }: DiagnoseServices): DoctorCheck {
  const name = 'permissions';
  const all = describe(spec, decisions);
  const keys = (status: string): string[] => all.filter((one) => one.status === status).map(({ key }) => key);
  const refused = keys('refused');
  if (refused.length > 0) {
    const message = `the policy refuses what it requires: ${safeText(refused.join(', '), 1000)}`;
    return { name, status: 'problem', message, fix: 'Change [policy] in config.toml, or do without the plugin.' };
  }
  const missing = keys('missing');
  if (missing.length === 0) return { name, status: 'ok', message: `nothing it requires is missing, of ${all.length}` };
  const message = `nobody has decided on: ${safeText(missing.join(', '), 1000)}`;
  return { name, status: 'problem', message, fix: grantCommand(spec.id, missing) };
}

function confinementCheck(spec: PluginSpec, { probe, options }: DiagnoseServices): DoctorCheck {
  const name = 'confinement';
  if (spec.origin === 'registered') return { name, status: 'ok', message: 'none: it is part of the program' };
  if (options.sandboxNoneFor.has(spec.id)) {
    return { name, status: 'warning', message: 'none: it is run without a sandbox because you named it' };
  }
  const wanted = spec.manifest.plugin.sandbox;
  if (wanted === 'wasm' || wanted === 'container') {
    return { name, status: 'problem', message: `it asks for level "${wanted}", which this host does not have` };
  }
  if (probe.mechanism === 'bubblewrap') return { name, status: 'ok', message: 'the sandbox works on this machine' };
  if (probe.mechanism === 'landlock') return landlockCheck(spec.id, probe, options);
  const message = `no sandbox works on this machine: ${probe.bubblewrap.reason ?? 'bubblewrap was not found'}`;
  return { name, status: 'problem', message, fix: probe.advice ?? 'mmm doctor' };
}

function landlockCheck(id: string, probe: SandboxProbe, options: DiagnoseServices['options']): DoctorCheck {
  const name = 'confinement';
  const reason = probe.bubblewrap.reason ?? 'bubblewrap was not found';
  if (options.policy.acceptsLandlock || options.sandboxLandlockFor.has(id)) {
    return { name, status: 'warning', message: `by Landlock: ${reason}`, fix: probe.advice ?? 'mmm doctor' };
  }
  const message = `it is refused, because only Landlock works here: ${reason}`;
  return { name, status: 'problem', message, fix: `${probe.advice ?? 'mmm doctor'}, or run it with --landlock ${id}` };
}

async function configurationCheck(spec: PluginSpec, { configurations }: DiagnoseServices): Promise<DoctorCheck> {
  const name = 'configuration';
  const { configurable, issues } = await configurations.showAnyway(spec);
  if (issues.length === 0) return { name, status: 'ok', message: configurable ? 'whole and valid' : 'it takes none' };
  const message = issues.map(({ path, message: what }) => `${path} ${what}`).join('; ');
  const fix = `mmm plugin config get ${spec.id}, then mmm plugin config set`;
  return { name, status: 'problem', message: safeText(message, 1000), fix };
}

function dependencyCheck({ plugin, range, found, status, optional, sentence }: DependencyReport): DoctorCheck {
  const name = `needs ${plugin}`;
  if (status === 'ready') return { name, status: 'ok', message: `${range}, and ${found ?? ''} is there` };
  return {
    name,
    status: optional ? 'warning' : 'problem',
    message: optional ? `${sentence} It is optional.` : sentence,
  };
}

function stateCheck(
  id: string,
  state: PluginState | undefined,
  quarantine: ReturnType<typeof quarantineOf>,
): DoctorCheck {
  const name = 'state';
  if (quarantine !== null) {
    const until = new Date(quarantine.untilMs).toISOString();
    const message = `quarantined until ${until} because it crashed too often: ${safeText(quarantine.cause, 1000)}`;
    return { name, status: 'problem', message, fix: `Mend the cause, then: mmm plugin reset ${id}` };
  }
  if (state?.kind === 'failed') return { name, status: 'problem', message: `failed: ${state.cause.message}` };
  if (state?.kind === 'backoff') return { name, status: 'warning', message: `restarting: ${state.cause.message}` };
  if (state?.kind === 'degraded') return { name, status: 'warning', message: 'running, and not answering a ping' };
  return { name, status: 'ok', message: state?.kind ?? 'stopped; the next call starts it' };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
