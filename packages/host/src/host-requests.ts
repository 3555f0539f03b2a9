import { hostMethods, type Permission, type ServedHostMethod } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';
import type { LaunchNetwork } from './egress/egress.ts';
import { fetchTarget } from './egress/fetch-target.ts';
import { egressRules, formatAuthority, type Target } from './egress/rule.ts';
import type { PermissionGuard } from './permit/enforce.ts';
import type { PermittedPlugin } from './permit/permitted.ts';

export interface HostRequestServices {
  readonly guard: PermissionGuard;
  readonly network: LaunchNetwork;
}

/** What a plugin may ask of the host. Each request is checked against its grants before anything else happens. */
export function hostRequests(
  plugin: PermittedPlugin,
  { guard, network }: HostRequestServices,
): Readonly<Record<Exclude<ServedHostMethod, 'log'>, RequestEntry>> {
  const rules = egressRules(plugin.granted);
  return {
    fetch: onRequest(hostMethods.fetch, async (params, { signal }) => {
      guard.enforce(plugin, reaching(fetchTarget(params.url).target));
      return await network.fetch(rules, params, signal);
    }),
  };
}

function reaching({ scheme, host, port }: Target): Permission {
  return { kind: 'network', host: `${scheme}://${formatAuthority(host, port)}` };
}
