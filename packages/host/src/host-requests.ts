import { hostMethods, type Permission, RpcError, type ServedHostMethod } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';
import type { LaunchNetwork } from './egress/egress.ts';
import { fetchTarget } from './egress/fetch-target.ts';
import { egressRules, formatAuthority, type Target } from './egress/rule.ts';
import { hostLimits } from './limits.ts';
import type { FirstUse } from './permit/first-use.ts';

export interface HostRequestServices {
  /** Asks for what is optional and not decided yet. */
  readonly firstUse: FirstUse;
  readonly network: LaunchNetwork;
  onRefused(permission: Permission): void;
  /** False for a series too many. */
  recordMetric(name: string, value: number, labels: Readonly<Record<string, string>>): boolean;
}

/** What a plugin may ask of the host. Each request is checked against its grants before anything else happens. */
export function hostRequests({
  firstUse,
  network,
  onRefused,
  recordMetric,
}: HostRequestServices): Readonly<Record<Exclude<ServedHostMethod, 'log'>, RequestEntry>> {
  return {
    record_metric: onRequest(hostMethods.record_metric, ({ name, value, labels }) => {
      if (recordMetric(name, value, labels)) return {};
      throw RpcError.of(
        'QuotaExceeded',
        `A plugin may record ${hostLimits.metricSeries} series, and "${name}" with these labels would be one more. ` +
          'Use fewer labels, or labels with fewer values.',
      );
    }),
    fetch: onRequest(hostMethods.fetch, async (params, { signal }) => {
      const needed = reaching(fetchTarget(params.url).target);
      await firstUse.need(needed).catch((error: unknown) => {
        onRefused(needed);
        throw error;
      });
      return await network.fetch(egressRules(firstUse.granted), params, signal);
    }),
  };
}

function reaching({ scheme, host, port }: Target): Permission {
  return { kind: 'network', host: `${scheme}://${formatAuthority(host, port)}` };
}
