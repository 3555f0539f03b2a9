import type { TrustStore } from '@mmm/bundle';
import { hostVersion, MmmError } from '@mmm/protocol';
import type { DoctorCheck, DoctorReport } from './api.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { Discovery } from './discover/scan.ts';
import type { Home } from './home.ts';
import type { EnforcementDimension } from './sandbox/launch-command.ts';
import type { SandboxProbe } from './sandbox/probe.ts';

export interface Examined {
  readonly home: Home;
  readonly probe: SandboxProbe;
  readonly trust: TrustStore;
  readonly discovery: Discovery;
  readonly audit: Pick<AuditLog, 'file' | 'verify'>;
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
    sandboxCheck(probe),
    ...dimensionChecks(probe),
    forwarderCheck(probe),
    keyCheck(trust),
    auditCheck(audit),
    ...(await installedChecks(examined)),
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

function auditCheck(audit: Examined['audit']): DoctorCheck {
  const name = 'audit log';
  try {
    const { entries, problem } = audit.verify();
    if (problem === undefined) return { name, status: 'ok', message: `${entries} entries, none changed or missing` };
    return {
      name,
      status: 'problem',
      message: `line ${problem.line} of ${audit.file} is not as it was written: ${problem.reason}`,
      fix: 'Somebody or something changed the log. Keep a copy of it, and find out who can write your home folder.',
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, status: 'problem', message: `${audit.file} cannot be read: ${reason}` };
  }
}

/** That a key is not trusted any more was somebody's decision; everything else is damage. */
const decided: ReadonlySet<string> = new Set(['KEY_REVOKED', 'SIGNATURE_UNTRUSTED']);

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

function sandboxCheck(probe: SandboxProbe): DoctorCheck {
  if (probe.mechanism === 'bubblewrap') {
    return {
      name: 'sandbox',
      status: 'ok',
      message: `bubblewrap ${probe.bubblewrap.version ?? ''} works: it was run with the profile plugins get`.replace(
        '  ',
        ' ',
      ),
    };
  }
  return {
    name: 'sandbox',
    status: 'problem',
    message: `no sandbox works, so plugins are refused: ${probe.bubblewrap.reason ?? 'bubblewrap was not found'}`,
    ...(probe.advice === undefined ? {} : { fix: probe.advice }),
  };
}

/** Without these programs plugins run, but none that was granted a host. */
function forwarderCheck({ tools: { setpriv, nsenter, socat }, advice }: SandboxProbe): DoctorCheck {
  const name = 'way to granted hosts';
  const missing = Object.entries({ setpriv, nsenter, socat }).filter(([, path]) => path === null);
  if (missing.length === 0) return { name, status: 'ok', message: 'setpriv, nsenter and socat are there' };
  return {
    name,
    status: 'warning',
    message: `plugins with network grants are refused: ${missing.map(([tool]) => tool).join(' and ')} not found`,
    ...(advice === undefined ? {} : { fix: advice }),
  };
}

function dimensionChecks(probe: SandboxProbe): DoctorCheck[] {
  return Object.entries(probe.dimensions).map(([dimension, level]): DoctorCheck => {
    const name = `confinement of ${dimension}`;
    if (level === 'enforced') return { name, status: 'ok', message: level };
    const reason = probe.mechanism === 'none' ? undefined : weaknesses[dimension as EnforcementDimension];
    return { name, status: 'warning', message: reason === undefined ? level : `${level}: ${reason(probe)}` };
  });
}

/** Why a dimension is not wholly enforced although the sandbox works. */
const weaknesses: { readonly [D in EnforcementDimension]?: (probe: SandboxProbe) => string } = {
  processes: () => 'they are out of sight, but not counted, because prlimit was not found',
  ipc: () => 'mmm has no filter of system calls for this processor',
  memory: ({ tools }) =>
    tools.prlimit === null
      ? 'nothing limits it, because prlimit was not found'
      : 'each process of a plugin is limited, not all of them together',
};

function keyCheck(trust: TrustStore): DoctorCheck {
  const keys = trust.list().filter(({ revoked }) => revoked === undefined);
  if (keys.length > 0) return { name: 'trusted keys', status: 'ok', message: `${keys.length}` };
  return {
    name: 'trusted keys',
    status: 'warning',
    message: 'none, so no signed plugin can be installed',
    fix: 'Make one with: mmm key new, or trust a publisher with: mmm key trust',
  };
}
