import { hostMethods, type Permission, RpcError, type ServedHostMethod } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';
import type { LaunchNetwork } from './egress/egress.ts';
import { fetchTarget } from './egress/fetch-target.ts';
import { egressRules, formatAuthority, type Target } from './egress/rule.ts';
import { type ComposeServices, composeRequests } from './host-api/compose-requests.ts';
import { type EventServices, eventRequests } from './host-api/event-requests.ts';
import { type MessageServices, messageRequests } from './host-api/message-requests.ts';
import { type ModelServices, modelRequests } from './host-api/model-requests.ts';
import { type ProjectServices, projectRequests } from './host-api/project-requests.ts';
import { promptRequests } from './host-api/prompt-requests.ts';
import type { Requester } from './host-api/requester.ts';
import { type StateServices, stateRequests } from './host-api/state-requests.ts';
import { hostLimits } from './limits.ts';

/** What serves requests of all plugins of a host. */
export interface HostServices {
  readonly messages: MessageServices;
  readonly compose: ComposeServices;
  readonly projects: ProjectServices;
  readonly models: ModelServices;
  readonly state: StateServices;
  readonly events: EventServices;
}

export interface HostRequestServices extends HostServices {
  /** The plugin that asks. */
  readonly requester: Requester;
  /** This life of it: the same as the `plugin` of its session. */
  readonly life: object;
  /** What it may do by now. */
  granted(): readonly Permission[];
  readonly network: LaunchNetwork;
  /** Writes an error into the plugin's log. */
  note(message: string): void;
  /** False for a series too many. */
  recordMetric(name: string, value: number, labels: Readonly<Record<string, string>>): boolean;
}

/** What a plugin may ask of the host. Each request is checked against its grants before anything else happens. */
export function hostRequests({
  requester,
  life,
  granted,
  network,
  note,
  state,
  messages,
  compose,
  projects,
  models,
  events,
  recordMetric,
}: HostRequestServices): Readonly<Record<Exclude<ServedHostMethod, 'log'>, RequestEntry>> {
  return {
    ...promptRequests(requester),
    ...messageRequests(requester, messages),
    ...composeRequests(requester, compose),
    ...projectRequests(requester, projects),
    ...modelRequests(requester, models, note),
    ...stateRequests(requester, state, note),
    ...eventRequests({ requester, life, note }, events),
    record_metric: onRequest(hostMethods.record_metric, ({ name, value, labels }) => {
      if (recordMetric(name, value, labels)) return {};
      throw RpcError.of(
        'QuotaExceeded',
        `A plugin may record ${hostLimits.metricSeries} series, and "${name}" with these labels would be one more. ` +
          'Use fewer labels, or labels with fewer values.',
      );
    }),
    fetch: onRequest(hostMethods.fetch, async (params, request) => {
      await requester.need(reaching(fetchTarget(params.url).target), request);
      return await network.fetch(egressRules(granted()), params, request.signal);
    }),
  };
}

function reaching({ scheme, host, port }: Target): Permission {
  return { kind: 'network', host: `${scheme}://${formatAuthority(host, port)}` };
}
