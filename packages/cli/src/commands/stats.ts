import type { HostClient, PluginHealth, PluginStatistics } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, print, table } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** One plugin with what was counted of it and what it does now. */
interface Row {
  readonly id: string;
  readonly statistics: PluginStatistics;
  readonly health: PluginHealth;
}

/** `mmm plugin stats`. */
export function addStatsCommand(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('stats'))
    .description('show calls, times, ends, memory and what was dropped or denied')
    .argument('[plugin]', 'only this one, with everything that is known of it')
    .option('--prometheus', 'print the metrics of all plugins in the text format of Prometheus')
    .action((id: string | undefined, options: { readonly prometheus?: boolean; readonly json?: boolean }) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            if (options.prometheus === true) {
              if (options.json === true || id !== undefined) throw notTogether(id);
              io.stdout.write(await host.metricsText());
              return exitCodes.ok;
            }
            const rows = await rowsOf(host, id);
            const { latencyBoundsMs } = await import('@mmm/host');
            const text = id === undefined ? tableText(rows) : rows.map(detailText).join('\n');
            print(io, options, { plugins: rows.map((row) => rowDocument(row, latencyBoundsMs)) }, text);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, [
    'mmm plugin stats',
    'mmm plugin stats calculator',
    'mmm plugin stats --prometheus > /var/lib/node_exporter/mmm.prom',
  ]);
}

function notTogether(id: string | undefined): MmmError<'USAGE'> {
  const other = id === undefined ? '--json' : 'a plugin';
  const message = `--prometheus prints the metrics of all plugins in a format of its own; leave out ${other}.`;
  return new MmmError('USAGE', message, { argument: '--prometheus' });
}

async function rowsOf(host: HostClient, id: string | undefined): Promise<readonly Row[]> {
  if (id !== undefined) await host.plugin(id);
  const rows: Row[] = [];
  for (const health of await host.health()) {
    if (id !== undefined && health.id !== id) continue;
    rows.push({ id: health.id, health, statistics: await host.statistics(health.id) });
  }
  return rows;
}

function rowDocument({ id, statistics, health }: Row, boundsMs: readonly number[]): Record<string, unknown> {
  const { id: _id, ...now } = health;
  return { id, ...statisticsDocument(statistics, boundsMs), now };
}

/** Buckets with their bounds: `up_to_ms` is null for the last, which holds the rest. */
export function statisticsDocument(
  { buckets, recorded, ...statistics }: PluginStatistics,
  boundsMs: readonly number[],
): Record<string, unknown> {
  const histogram = Array.from({ length: boundsMs.length + 1 }, (_, index) => ({
    upToMs: boundsMs[index] ?? null,
    calls: buckets[index] ?? 0,
  }));
  // Names that the plugin chose stand as values, so that nothing rewrites them.
  const own = recorded.map(({ labels, ...series }) => ({
    ...series,
    labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
  }));
  return { ...statistics, histogram, recorded: own };
}

function tableText(rows: readonly Row[]): string {
  if (rows.length === 0) return 'No plugins.';
  return table([
    ['NAME', 'STATE', 'CALLS', 'FAILED', 'AVERAGE', 'SLOWEST', 'LAST', 'STARTS', 'RESTARTS', 'EXITS', 'MEMORY', 'CPU'],
    ...rows.map(({ id, statistics, health }) => [
      id,
      health.pids.length > 0 && health.state === 'stopped' ? 'elsewhere' : health.state,
      String(statistics.executions),
      String(statistics.failures),
      statistics.executions === 0 ? '-' : `${(statistics.totalMs / statistics.executions).toFixed(1)} ms`,
      statistics.executions === 0 ? '-' : `${statistics.maxMs.toFixed(1)} ms`,
      statistics.lastAtMs === null ? '-' : new Date(statistics.lastAtMs).toISOString(),
      String(statistics.loads),
      countsText(statistics.restarts),
      countsText(statistics.exits),
      bytesText(health.memoryBytes),
      secondsText(health.cpuMs),
    ]),
  ]);
}

function detailText({ id, statistics, health }: Row): string {
  const { executions, failures, totalMs, maxMs, counters, lastLoadMs } = statistics;
  const average =
    executions === 0 ? '' : `, ${(totalMs / executions).toFixed(1)} ms on average, ${maxMs.toFixed(1)} at most`;
  const pids = health.pids.length === 0 ? '' : `, pid ${health.pids.join(' and ')}`;
  const lines: readonly (readonly [string, string])[] = [
    ['state', `${health.state}${pids}`],
    ['calls', `${executions}, ${failures} failed${average}`],
    ['now', `${health.inFlight} in flight, ${health.queued} waiting`],
    ['memory', bytesText(health.memoryBytes)],
    ['cpu', secondsText(health.cpuMs)],
    ['starts', `${statistics.loads}${lastLoadMs === null ? '' : `, the last one in ${lastLoadMs.toFixed(0)} ms`}`],
    ['exits', countsText(statistics.exits)],
    ['restarts', countsText(statistics.restarts)],
    ['received', `${bytesText(counters.bytesIn)} in ${counters.messagesIn} messages`],
    ['sent', `${bytesText(counters.bytesOut)} in ${counters.messagesOut} messages`],
    ['denied', String(counters.denials)],
    ['refused', `${counters.rateLimited} calls over calls_per_second`],
    ['events', `${counters.eventsEmitted} emitted, ${counters.eventsHandled} handled, ${counters.eventsPutBy} put by`],
    [
      'dropped',
      `${counters.logLinesDropped} log lines, ${counters.answersDropped} answers, ` +
        `${counters.notificationsDropped} notifications, ${counters.metricsRefused} metrics`,
    ],
    ...statistics.recorded.map(({ name, labels, count, sum, last }): readonly [string, string] => {
      const of = Object.entries(labels).map(([label, value]) => `${label}=${safeText(value, 60)}`);
      return ['recorded', `${[name, ...of].join(' ')}: ${last}, ${sum} over ${count}`];
    }),
  ];
  return [id, ...lines.map(([name, text]) => `  ${name.padEnd(9)} ${text}`)].join('\n');
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  return entries.length === 0 ? '-' : entries.map(([kind, count]) => `${kind}:${count}`).join(' ');
}

function bytesText(bytes: number | null): string {
  if (bytes === null) return '-';
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

function secondsText(ms: number | null): string {
  return ms === null ? '-' : `${(ms / 1000).toFixed(2)} s`;
}
