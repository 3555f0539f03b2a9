import type { Permission } from '@mmm/protocol';
import { parseNetworkTarget } from './host-address.ts';
import { isWithin, treeOf } from './paths.ts';

/**
 * Whether a granted permission allows what is needed now. A folder covers everything below it, writing covers reading,
 * a name with a trailing `*` covers what begins like it, `*.host` covers the subdomains but not the host itself. What
 * cannot be read exactly is not covered.
 */
export function covers(granted: Permission, needed: Permission): boolean {
  switch (granted.kind) {
    case 'filesystem':
      return (
        needed.kind === granted.kind &&
        coversAccess(granted.access, needed.access) &&
        coversPath(granted.path, needed.path)
      );
    case 'network':
      return (
        needed.kind === granted.kind &&
        coversHost(granted.host, needed.host) &&
        (granted.private === true || needed.private !== true)
      );
    case 'environment':
      return needed.kind === granted.kind && matches(granted.name, needed.name);
    case 'commands':
    case 'devices':
    case 'system_control':
      return needed.kind === granted.kind && granted.name === needed.name;
    case 'messages':
      return needed.kind === granted.kind && matches(granted.to, needed.to);
    case 'compose':
      return (
        needed.kind === granted.kind &&
        matches(granted.plugin, needed.plugin) &&
        matches(granted.capability, needed.capability)
      );
    case 'state':
      return needed.kind === granted.kind && granted.scope === needed.scope;
    case 'model':
      return needed.kind === granted.kind;
    case 'project':
      return needed.kind === granted.kind && coversAccess(granted.access, needed.access);
  }
}

function coversAccess(granted: 'read' | 'write' | 'execute', needed: 'read' | 'write' | 'execute'): boolean {
  return granted === needed || (granted === 'write' && needed === 'read');
}

function coversPath(granted: string, needed: string): boolean {
  if (needed.split('/').some((part) => part === '..' || part === '.')) return false;
  return isWithin(treeOf(needed), treeOf(granted));
}

function coversHost(granted: string, needed: string): boolean {
  const has = parseNetworkTarget(granted);
  const wants = parseNetworkTarget(needed);
  if ('problem' in has || 'problem' in wants || (wants.wildcard !== has.wildcard && wants.wildcard)) return false;
  if (has.scheme !== undefined && wants.scheme !== undefined && has.scheme !== wants.scheme) return false;
  const hostFits = has.wildcard && !wants.wildcard ? wants.host.endsWith(`.${has.host}`) : wants.host === has.host;
  return hostFits && (has.port === '*' || has.port === wants.port);
}

/** A trailing `*` of the granted name stands for anything, also for nothing. */
function matches(granted: string, needed: string): boolean {
  return granted.endsWith('*') ? needed.startsWith(granted.slice(0, -1)) : granted === needed;
}
