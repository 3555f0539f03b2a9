import type { Permission, PermissionEntry } from '@mmm/protocol';
import { type NetworkTarget, parseNetworkTarget } from './host-address.ts';
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

/**
 * Whether what is asked for and what is refused have anything in common: a refused host lies below a wildcard that is
 * asked for, a refused folder in one that is. To refuse writing leaves reading; to refuse reading refuses both.
 */
export function overlaps(asked: Permission, refused: Permission): boolean {
  if (covers(asked, refused)) return true;
  switch (asked.kind) {
    case 'filesystem':
      return (
        refused.kind === asked.kind &&
        coversAccess(asked.access, refused.access) &&
        coversPath(refused.path, asked.path)
      );
    case 'network':
      return refused.kind === asked.kind && overlapsHost(asked, refused);
    case 'environment':
      return refused.kind === asked.kind && matches(refused.name, asked.name);
    case 'messages':
      return refused.kind === asked.kind && matches(refused.to, asked.to);
    case 'compose':
      return (
        refused.kind === asked.kind &&
        overlapsName(asked.plugin, refused.plugin) &&
        overlapsName(asked.capability, refused.capability)
      );
    default:
      return false;
  }
}

/** Port by port and name by name. To refuse only the private addresses of a host leaves its public ones. */
function overlapsHost(asked: PermissionEntry<'network'>, refused: PermissionEntry<'network'>): boolean {
  if (refused.private === true && asked.private !== true) return false;
  const [one, other] = [parseNetworkTarget(asked.host), parseNetworkTarget(refused.host)];
  // What cannot be read exactly may be what was refused.
  if ('problem' in one || 'problem' in other) return asked.host === refused.host;
  if (one.scheme !== undefined && other.scheme !== undefined && one.scheme !== other.scheme) return false;
  if (one.port !== '*' && other.port !== '*' && one.port !== other.port) return false;
  const below = (name: string, { wildcard, host }: NetworkTarget): boolean =>
    wildcard ? name.endsWith(`.${host}`) : name === host;
  if (one.wildcard && other.wildcard)
    return one.host === other.host || below(one.host, other) || below(other.host, one);
  return one.wildcard ? below(other.host, one) : below(one.host, other);
}

function overlapsName(one: string, other: string): boolean {
  return matches(one, other) || matches(other, one);
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
