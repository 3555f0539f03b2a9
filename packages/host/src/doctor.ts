import type { TrustStore } from '@mmm/bundle';
import { hostVersion, MmmError } from '@mmm/protocol';
import type { DoctorCheck, DoctorReport } from './api.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { DependencyReport } from './dependencies/requirements.ts';
import type { Discovery } from './discover/scan.ts';
import { journalChecks } from './event-checks.ts';
import type { Home } from './home.ts';
import { type LimitMeans, limitChecks, limitMeans } from './limit-checks.ts';
import type { PluginLogs } from './plugin-logs.ts';
import type { SandboxProbe } from './sandbox/probe.ts';
import { sandboxChecks } from './sandbox-checks.ts';
import type { Settings } from './settings/settings.ts';
import { logChecks, storageChecks } from './storage-checks.ts';
import type { Store } from './store/store.ts';
import { systemProcesses } from './watchdog/processes.ts';

export interface Examined {
  readonly home: Home;
  /** With every rung tried. */
  readonly probe: SandboxProbe;
  /** The policy takes Landlock for every plugin. */
  readonly acceptsLandlock: boolean;
  readonly trust: TrustStore;
  readonly discovery: Discovery;
  readonly audit: Pick<AuditLog, 'file' | 'verify'>;
  readonly store: Pick<Store, 'events'>;
  /** Whether a revocation list that is missing or has expired refuses plugins. */
  readonly currentRevocations: boolean;
  now(): Date;
  readonly settings: Settings;
  readonly controlGroup: LimitMeans['controlGroup'];
  readonly logs: Pick<PluginLogs, 'troubles'>;
  /** What each of its plugins needs, in their order. */
  readonly needed: readonly (readonly DependencyReport[])[];
  /** Reads every byte of an installed plugin. Throws what is wrong with it. */
  verify(id: string): Promise<unknown>;
}

/** Says what this machine can enforce, from what was tried, and what is wrong, each with what mends it. */
export async function examine(examined: Examined): Promise<DoctorReport> {
  const { home, probe, trust, discovery, audit } = examined;
  const checks: DoctorCheck[] = [
    {
      name: 'mmm',
      status: 'ok',
      message: `${hostVersion}, Node ${process.version}, ${process.platform}-${process.arch}`,
    },
    { name: 'home', status: 'ok', message: `${home.directory} belongs to you alone` },
    settingsCheck(examined.settings),
    ...sandboxChecks(examined),
    ...limitChecks(limitMeans(probe, systemProcesses().pids().length > 0, examined.controlGroup)),
    ...keyChecks(trust, examined.now()),
    ...revocationChecks(examined),
    auditCheck(audit),
    ...storageChecks(home),
    ...logChecks(examined.logs.troubles),
    ...journalChecks(examined.store.events),
    ...(await installedChecks(examined)),
    ...dependencyChecks(examined),
    ...discovery.problems.map(
      ({ kind, plugin, directory, message }): DoctorCheck => ({
        name: `plugin ${plugin ?? directory}`,
        status: kind === 'shadowed' ? 'warning' : 'problem',
        message,
      }),
    ),
  ];
  return { ok: checks.every(({ status }) => status !== 'problem'), checks, sandbox: probe };
}

/** A plugin that cannot start for want of another one. What is optional is left to `mmm plugin doctor`. */
function dependencyChecks({ discovery, needed }: Examined): readonly DoctorCheck[] {
  return discovery.plugins.flatMap(({ id }, index) =>
    (needed[index] ?? [])
      .filter(({ status, optional }) => status !== 'ready' && !optional)
      .map(({ sentence }) => ({ name: `plugin ${id}`, status: 'problem' as const, message: sentence })),
  );
}

/** A file with problems opens no host: `mmm doctor` reports those by itself. */
function settingsCheck({ file, exists, ...sections }: Settings): DoctorCheck {
  const name = 'settings';
  if (!exists) return { name, status: 'ok', message: `as by default: there is no ${file}` };
  const set = Object.keys(sections).map((section) => `[${section}]`);
  return { name, status: 'ok', message: `${file} sets ${set.length === 0 ? 'nothing' : set.join(', ')}` };
}

function auditCheck(audit: Examined['audit']): DoctorCheck {
  const name = 'audit log';
  try {
    const { entries, problem } = audit.verify();
    if (problem === undefined) return { name, status: 'ok', message: `${entries} entries, none changed or missing` };
    return {
      name,
      status: 'problem',
      message: `line ${problem.line} of ${problem.file} is not as it was written: ${problem.reason}`,
      fix: 'Somebody or something changed the log. Keep a copy of it, and find out who can write your home folder.',
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, status: 'problem', message: `${audit.file} cannot be read: ${reason}` };
  }
}

/** That a key is not trusted any more was somebody's decision; everything else is damage. */
const decided: ReadonlySet<string> = new Set([
  'KEY_REVOKED',
  'KEY_EXPIRED',
  'KEY_OUT_OF_SCOPE',
  'KEY_ROLE_WRONG',
  'BUNDLE_REVOKED',
  'REVOCATIONS_EXPIRED',
  'SIGNATURE_UNTRUSTED',
]);

async function installedChecks({ discovery, verify }: Examined): Promise<readonly DoctorCheck[]> {
  const installed = discovery.plugins.filter(({ origin }) => origin === 'installed');
  const wrong: DoctorCheck[] = [];
  for (const { id } of installed) {
    try {
      await verify(id);
    } catch (error) {
      const isDecided = error instanceof MmmError && decided.has(error.code);
      wrong.push({
        name: `plugin ${id}`,
        status: isDecided ? 'warning' : 'problem',
        message: error instanceof Error ? error.message : String(error),
        fix: `Install it again from its publisher, or remove it with: mmm plugin remove ${id}`,
      });
    }
  }
  const intact = installed.length - wrong.length;
  return [{ name: 'installed plugins', status: 'ok', message: `${intact} of ${installed.length} intact` }, ...wrong];
}

function keyChecks(trust: TrustStore, now: Date): readonly DoctorCheck[] {
  const keys = trust.list().filter(({ keyid }) => trust.revocationOf(keyid) === undefined);
  const name = 'trusted keys';
  const fix = 'Make one with: mmm key new, or trust a publisher with: mmm key trust';
  if (keys.length === 0)
    return [{ name, status: 'warning', message: 'none, so no signed plugin can be installed', fix }];
  const expired = keys.filter(({ notAfter }) => notAfter !== undefined && now.getTime() > Date.parse(notAfter));
  return [
    { name, status: 'ok', message: `${keys.length}` },
    ...expired.map((key): DoctorCheck => {
      const message = `expired at ${key.notAfter ?? ''}: nothing it signed runs`;
      return { name: `key ${key.name}`, status: 'warning', message, fix: 'Trust it again with a later --expires.' };
    }),
  ];
}

/** Only where somebody is trusted to revoke; what is missing there hides what was revoked since. */
function revocationChecks({ trust, currentRevocations, now }: Examined): readonly DoctorCheck[] {
  const roots = trust.list().filter(({ role, keyid, successor }) => {
    return role === 'root' && successor === undefined && trust.revocationOf(keyid) === undefined;
  });
  if (roots.length === 0) return [];
  const name = 'revocation lists';
  const lists = trust.revocations();
  const stale = roots.flatMap(({ keyid, name: issuer }) => {
    const expires = lists.find((list) => list.issuer === trust.publisherOf(keyid))?.expires;
    if (expires === undefined) return [`none of ${issuer} was imported`];
    return now().getTime() > Date.parse(expires) ? [`that of ${issuer} expired at ${expires}`] : [];
  });
  if (stale.length === 0) return [{ name, status: 'ok', message: `${roots.length}, none expired` }];
  const effect = currentRevocations ? 'plugins they cover are refused' : 'what was revoked since runs';
  return [
    {
      name,
      status: currentRevocations ? 'problem' : 'warning',
      message: `${stale.join('; ')}: ${effect}`,
      fix: 'Get the newest list from its issuer, and run: mmm key revocations import FILE',
    },
  ];
}
