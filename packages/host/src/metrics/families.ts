import { hostVersion } from '@mmm/protocol';
import type { CounterName, PluginStatistics } from '../store/store.ts';
import { latencyBoundsMs } from './histogram.ts';
import type { Family, Labels, Sample } from './prometheus.ts';

/** What a plugin does at this moment. */
export interface LiveFigures {
  readonly state: string;
  /** When its session became ready, epoch milliseconds; null while none runs in this process. */
  readonly startedAtMs: number | null;
  /** Calls that it works on, and calls that wait for a place. */
  readonly inFlight: number;
  readonly queued: number;
  /** Of all its processes, also those that another process of this home runs; null when none runs or nobody can say. */
  readonly memoryBytes: number | null;
  readonly cpuMs: number | null;
}

export interface PluginFigures {
  readonly id: string;
  readonly version: string;
  readonly live: LiveFigures;
  readonly statistics: PluginStatistics;
}

type Read = (figures: PluginFigures) => number | null;

/** Every metric of every plugin, as Prometheus names things. Names and labels are a contract. */
export function pluginFamilies(plugins: readonly PluginFigures[]): readonly Family[] {
  return [
    {
      ...{ name: 'mmm_build_info', type: 'gauge', help: 'The version of mmm.' },
      samples: [{ labels: { version: hostVersion }, value: 1 }],
    },
    gauge('mmm_plugin_info', 'The version of the plugin.', plugins, ({ id, version }) => [
      { labels: { plugin: id, version }, value: 1 },
    ]),
    gauge('mmm_plugin_state', 'The state the plugin is in.', plugins, ({ id, live: { state } }) => [
      { labels: { plugin: id, state }, value: 1 },
    ]),
    ...liveFamilies(plugins),
    ...callFamilies(plugins),
    ...lifeFamilies(plugins),
    ...trafficFamilies(plugins),
    ...recordedFamilies(plugins),
  ];
}

function liveFamilies(plugins: readonly PluginFigures[]): readonly Family[] {
  const one = (name: string, help: string, read: Read): Family => gauge(name, help, plugins, single(read));
  return [
    one('mmm_plugin_up', '1 while the plugin runs in this process.', ({ live: { state } }) =>
      state === 'running' || state === 'degraded' ? 1 : 0,
    ),
    one('mmm_plugin_start_time_seconds', 'When the running plugin became ready, in Unix time.', ({ live }) =>
      live.startedAtMs === null ? null : live.startedAtMs / 1000,
    ),
    one('mmm_plugin_calls_in_flight', 'Calls the plugin works on.', ({ live }) => live.inFlight),
    one('mmm_plugin_calls_queued', 'Calls that wait for a free place.', ({ live }) => live.queued),
    one('mmm_plugin_memory_bytes', 'Resident memory of all its processes.', ({ live }) => live.memoryBytes),
    {
      ...{ name: 'mmm_plugin_cpu_seconds_total', type: 'counter' },
      help: 'Processor time of its processes that run, since they started.',
      samples: plugins.flatMap(single(({ live: { cpuMs } }) => (cpuMs === null ? null : cpuMs / 1000))),
    },
  ];
}

function callFamilies(plugins: readonly PluginFigures[]): readonly Family[] {
  return [
    counter('mmm_plugin_calls_total', 'Calls that ended.', plugins, ({ id, statistics: { executions, failures } }) => [
      { labels: { plugin: id, outcome: 'ok' }, value: executions - failures },
      { labels: { plugin: id, outcome: 'failed' }, value: failures },
    ]),
    {
      ...{ name: 'mmm_plugin_call_duration_seconds', type: 'histogram' },
      help: 'From the call to its answer, queues and a start included.',
      samples: plugins.map(({ id, statistics: { buckets, totalMs } }) => ({
        labels: { plugin: id },
        bounds: latencyBoundsMs.map((boundMs) => boundMs / 1000),
        counts: buckets,
        sum: totalMs / 1000,
      })),
    },
  ];
}

function lifeFamilies(plugins: readonly PluginFigures[]): readonly Family[] {
  const starts = single(({ statistics: { loads } }) => loads);
  const lastStart = single(({ statistics: { lastLoadMs } }) => (lastLoadMs === null ? null : lastLoadMs / 1000));
  return [
    counter('mmm_plugin_starts_total', 'Starts that led to a ready plugin.', plugins, starts),
    gauge('mmm_plugin_last_start_seconds', 'How long the last start took.', plugins, lastStart),
    counter('mmm_plugin_exits_total', 'Ends of its sessions, by cause.', plugins, ({ id, statistics: { exits } }) =>
      byKey(id, 'cause', exits),
    ),
    counter(
      'mmm_plugin_restarts_total',
      'Starts after an end nobody had asked for, by the cause of that end.',
      plugins,
      ({ id, statistics: { restarts } }) => byKey(id, 'cause', restarts),
    ),
  ];
}

const dropped: readonly (readonly [string, CounterName])[] = [
  ['log_lines', 'logLinesDropped'],
  ['answers', 'answersDropped'],
  ['notifications', 'notificationsDropped'],
  ['metrics', 'metricsRefused'],
];

function trafficFamilies(plugins: readonly PluginFigures[]): readonly Family[] {
  const one = (name: string, help: string, key: CounterName): Family =>
    counter(
      name,
      help,
      plugins,
      single(({ statistics: { counters } }) => counters[key]),
    );
  return [
    one('mmm_plugin_received_bytes_total', 'Bytes the plugin sent to the host.', 'bytesIn'),
    one('mmm_plugin_sent_bytes_total', 'Bytes the host sent to the plugin.', 'bytesOut'),
    one('mmm_plugin_received_messages_total', 'Messages the plugin sent to the host.', 'messagesIn'),
    one('mmm_plugin_sent_messages_total', 'Messages the host sent to the plugin.', 'messagesOut'),
    one('mmm_plugin_denials_total', 'What the plugin asked for and was not granted.', 'denials'),
    one('mmm_plugin_events_emitted_total', 'Events the plugin emitted.', 'eventsEmitted'),
    one('mmm_plugin_events_handled_total', 'Events the plugin handled.', 'eventsHandled'),
    one('mmm_plugin_events_put_by_total', 'Events the plugin failed to handle at every try.', 'eventsPutBy'),
    one('mmm_plugin_rate_limited_total', 'Calls refused because there were too many in a second.', 'rateLimited'),
    counter('mmm_plugin_dropped_total', 'What was over a limit or of no use, by kind.', plugins, ({ id, statistics }) =>
      dropped.map(([kind, key]) => ({ labels: { plugin: id, kind }, value: statistics.counters[key] })),
    ),
  ];
}

/**
 * What plugins record themselves: the name of the metric is a label and not a part of a name, so that nothing a plugin
 * calls its metrics can collide with another's or with ours.
 */
function recordedFamilies(plugins: readonly PluginFigures[]): readonly Family[] {
  const recorded = plugins.flatMap(({ id, statistics }) =>
    statistics.recorded.map((series) => ({
      ...series,
      labels: { plugin: id, metric: series.name, ...series.labels } satisfies Labels,
    })),
  );
  return [
    {
      ...{ name: 'mmm_plugin_recorded', type: 'summary' },
      help: 'Values the plugin recorded.',
      samples: recorded,
    },
    {
      ...{ name: 'mmm_plugin_recorded_last', type: 'gauge' },
      help: 'The value the plugin recorded last.',
      samples: recorded.map(({ labels, last }) => ({ labels, value: last })),
    },
  ];
}

type SamplesOf = (figures: PluginFigures) => readonly Sample[];

function gauge(name: string, help: string, plugins: readonly PluginFigures[], samples: SamplesOf): Family {
  return { name, type: 'gauge', help, samples: plugins.flatMap(samples) };
}

function counter(name: string, help: string, plugins: readonly PluginFigures[], samples: SamplesOf): Family {
  return { name, type: 'counter', help, samples: plugins.flatMap(samples) };
}

/** One sample a plugin, or none where there is nothing to say. */
function single(read: Read): SamplesOf {
  return (figures) => {
    const value = read(figures);
    return value === null ? [] : [{ labels: { plugin: figures.id }, value }];
  };
}

function byKey(plugin: string, label: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([key, value]) => ({ labels: { plugin, [label]: key }, value }));
}
