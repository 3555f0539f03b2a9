import type { CapabilitySummary, LogLine, PluginInfo, PluginSummary } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, note, print, styler, table } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';
import { configDocument, configSummary } from './config.ts';

/** `list`, `info`, `logs`, `stats`: what shows plugins. Everything a plugin wrote itself is escaped. */
export function addShowCommands(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('list'))
    .alias('ls')
    .description('list plugins, and the folders that were refused')
    .action((options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const { problems } = await host.discover();
            const plugins = await host.list();
            print(
              io,
              options,
              {
                plugins,
                problems: problems.map(({ kind, plugin: id, directory, message }) => ({
                  kind,
                  plugin: id ?? null,
                  directory,
                  message,
                })),
              },
              listText(plugins),
            );
            if (options.json !== true) for (const problem of problems) note(io, `${problem.kind}: ${problem.message}`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(plugin.command('info'))
    .description('show what a plugin can do, what it may do and how it is confined')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const info = await host.info(id);
            print(io, options, await infoDocument(info), await infoText(info, styler(io)));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  addLogs(plugin, registry);
  addStats(plugin, registry);
}

function addLogs(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('logs'))
    .description("print the last lines of a plugin's log")
    .argument('<plugin>', 'its name')
    .option('--lines <n>', 'how many', '200')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const lines = await host.logs(id, { lines: wholeNumber('--lines', options.lines) });
            print(io, options, { lines }, lines.map(logText).join('\n'));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function logText({ at, stream, level, message, fields }: LogLine): string {
  const more = fields === undefined || Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${at} ${stream.padEnd(6)} ${level.padEnd(5)} ${safeText(`${message}${more}`, 65_536)}`;
}

function addStats(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('stats'))
    .description('show calls, failures, times and exits of plugins')
    .argument('[plugin]', 'only this one')
    .action((id: string | undefined, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const ids = id === undefined ? (await host.list()).map((entry) => entry.id) : [(await host.plugin(id)).id];
            const rows: StatisticsRow[] = [];
            for (const name of ids) rows.push({ id: name, ...(await host.statistics(name)) });
            const { latencyBoundsMs } = await import('@mmm/host');
            print(
              io,
              options,
              { plugins: rows.map((row) => ({ id: row.id, ...statisticsDocument(row, latencyBoundsMs) })) },
              rows.length === 0 ? 'No plugins.' : statisticsText(rows),
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function wholeNumber(option: string, text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1) return value;
  throw new MmmError('USAGE', `${option} takes a whole number of at least 1, not "${safeText(text, 40)}".`, {
    argument: option,
  });
}

/** Buckets with their bounds: `up_to_ms` is null for the last, which holds the rest. */
function statisticsDocument(
  { buckets, ...statistics }: PluginInfo['statistics'],
  boundsMs: readonly number[],
): Record<string, unknown> {
  const histogram = Array.from({ length: boundsMs.length + 1 }, (_, index) => ({
    upToMs: boundsMs[index] ?? null,
    calls: buckets[index] ?? 0,
  }));
  return { ...statistics, histogram };
}

function listText(plugins: readonly PluginSummary[]): string {
  if (plugins.length === 0) return 'No plugins. Install one with: mmm plugin install DIR';
  return table([
    ['NAME', 'VERSION', 'STATE', 'TRUST', 'FROM', 'DESCRIPTION'],
    ...plugins.map((plugin) => [
      plugin.id,
      plugin.version,
      stateText(plugin),
      plugin.trust.keyName === undefined
        ? plugin.trust.kind
        : `${plugin.trust.kind}:${safeText(plugin.trust.keyName, 30)}`,
      plugin.origin,
      safeText(plugin.description, 60),
    ]),
  ]);
}

function stateText({ enabled, needsConsent, state }: PluginSummary): string {
  if (!enabled) return 'disabled';
  return needsConsent ? 'needs consent' : state;
}

async function infoDocument(info: PluginInfo): Promise<Record<string, unknown>> {
  const { latencyBoundsMs } = await import('@mmm/host');
  return {
    ...info,
    configuration: configDocument(info.id, info.configuration),
    statistics: statisticsDocument(info.statistics, latencyBoundsMs),
  };
}

async function infoText(info: PluginInfo, style: ReturnType<typeof styler>): Promise<string> {
  const { manifest } = info;
  const lines = [
    `${style('bold', info.id)} ${info.version}  ${safeText(info.description)}`,
    `  license    ${safeText(manifest.plugin.license)}`,
    `  folder     ${safeText(info.directory, 400)} (${info.origin})`,
    `  bundle     ${info.bundleSha256 ?? 'not verified yet'}`,
    `  trust      ${info.trust.kind}${signer(info)}`,
    `  state      ${stateText(info)}`,
    'Capabilities:',
    ...info.capabilities.flatMap(capabilityLines),
    'Permissions:',
    ...(await permissionLines(info)),
    'Configuration:',
    ...configSummary(info.id, info.configuration),
    'Confinement on this machine:',
    ...Object.entries(info.enforcement).map(([dimension, level]) => `  ${dimension.padEnd(12)} ${level}`),
  ];
  return lines.join('\n');
}

function capabilityLines({ kind, name, title, description, aliases, input }: CapabilitySummary): readonly string[] {
  const also = aliases.length === 0 ? '' : ` (also ${aliases.map((alias) => safeText(alias, 60)).join(', ')})`;
  const fields = input?.map(({ name: field, types, required, description: about }) => {
    const type = types.map((one) => safeText(one, 20)).join(' or ') || 'any';
    const facts = [type, ...(required ? ['required'] : [])].join(', ');
    return `      ${safeText(field, 60)}: ${facts}${about === null ? '' : `. ${safeText(about)}`}`;
  });
  return [
    `  ${kind} ${name}${also}${title === null ? '' : `: ${safeText(title)}`}`,
    ...(description === null ? [] : [`    ${safeText(description, 400)}`]),
    ...(fields === undefined || fields.length === 0 ? [] : ['    input', ...fields]),
  ];
}

async function permissionLines({ id, permissions }: PluginInfo): Promise<readonly string[]> {
  if (permissions.length === 0) return ['  none'];
  const lines = permissions.map(({ key, status, risk, sentence, reason }) => {
    const words = reason === null ? '' : ` It says: "${safeText(reason).replaceAll('"', "'")}"`;
    return `  ${status.padEnd(9)} ${risk.padEnd(8)} ${safeText(key, 300)}  ${safeText(sentence, 300)}${words}`;
  });
  const missing = permissions.filter(({ status }) => status === 'missing').map(({ key }) => key);
  if (missing.length === 0) return lines;
  const { grantCommand } = await import('@mmm/host');
  return [...lines, '  It will not start before you decide on what is missing:', `  ${grantCommand(id, missing)}`];
}

function signer({ trust }: PluginInfo): string {
  return trust.keyName === undefined ? '' : ` by "${safeText(trust.keyName)}" (${trust.keyid ?? ''})`;
}

type StatisticsRow = { readonly id: string } & PluginInfo['statistics'];

function statisticsText(rows: readonly StatisticsRow[]): string {
  return table([
    ['NAME', 'CALLS', 'FAILED', 'AVERAGE', 'SLOWEST', 'LAST', 'LOADED', 'LOAD TIME', 'EXITS'],
    ...rows.map((row) => [
      row.id,
      String(row.executions),
      String(row.failures),
      row.executions === 0 ? '-' : `${(row.totalMs / row.executions).toFixed(1)} ms`,
      row.executions === 0 ? '-' : `${row.maxMs.toFixed(1)} ms`,
      row.lastAtMs === null ? '-' : new Date(row.lastAtMs).toISOString(),
      String(row.loads),
      row.lastLoadMs === null ? '-' : `${row.lastLoadMs.toFixed(0)} ms`,
      Object.entries(row.exits)
        .map(([kind, count]) => `${kind}:${count}`)
        .join(' ') || '-',
    ]),
  ]);
}
