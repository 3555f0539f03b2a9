import type { TrustStore } from '@mmm/bundle';
import { hostVersion } from '@mmm/protocol';
import type { DoctorCheck, DoctorReport } from './api.ts';
import type { Discovery } from './discover/scan.ts';
import type { Home } from './home.ts';
import type { SandboxProbe } from './sandbox/probe.ts';

/** Says what this machine can enforce, from what was tried, and what is wrong, each with what mends it. */
export function examine(home: Home, probe: SandboxProbe, trust: TrustStore, discovery: Discovery): DoctorReport {
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
  return Object.entries(probe.dimensions).map(([dimension, level]) => ({
    name: `confinement of ${dimension}`,
    status: level === 'declared' ? 'warning' : 'ok',
    message: level,
  }));
}

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
