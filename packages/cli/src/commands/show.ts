import type { PluginInfo, PluginSummary } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, note, print, styler, table } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';
import { configDocument, configSummary } from './config.ts';

/** `list`, `info`, `logs`, `stats`: what shows plugins. Everything a plugin wrote itself is escaped. */
export function addShowCommands(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('list'))
    .description('list plugins, and the folders that were refused')
    .action((options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const { problems } = await host.discover();
            const plugins = await host.list();
            print(
              io,
              options,
              {
                plugins: plugins.map(summaryDocument),
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
    .argument('<plugin>')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const info = await host.info(id);
            print(io, options, infoDocument(info), infoText(info, styler(io)));
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
    .argument('<plugin>')
    .option('--lines <n>', 'how many', '200')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const lines = await host.logs(id, { lines: wholeNumber(options.lines) });
            print(
              io,
              options,
              { lines },
              lines
                .map(
                  ({ at, stream, level, message }) =>
                    `${at} ${stream.padEnd(6)} ${level.padEnd(5)} ${safeText(message, 65_536)}`,
                )
                .join('\n'),
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addStats(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('stats'))
    .description('show calls, failures, times and exits of plugins')
    .argument('[plugin]', 'only this one')
    .action((id: string | undefined, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const ids = id === undefined ? (await host.list()).map((entry) => entry.id) : [(await host.plugin(id)).id];
            const statistics = ids.map((name) => ({ id: name, ...host.statistics(name) }));
            print(io, options, { plugins: statistics }, statisticsText(statistics));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function wholeNumber(text: string): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : 200;
}

function summaryDocument(plugin: PluginSummary): Record<string, unknown> {
  const { id, version, description, origin, directory, enabled, state, trust, bundleSha256 } = plugin;
  return { id, version, description, origin, directory, enabled, state, trust, bundle_sha256: bundleSha256 };
}

function listText(plugins: readonly PluginSummary[]): string {
  if (plugins.length === 0) return 'No plugins. Install one with: mmm plugin install DIR';
  return table([
    ['NAME', 'VERSION', 'STATE', 'TRUST', 'FROM', 'DESCRIPTION'],
    ...plugins.map(({ id, version, enabled, state, trust, origin, description }) => [
      id,
      version,
      enabled ? state : 'disabled',
      trust.keyName === undefined ? trust.kind : `${trust.kind}:${safeText(trust.keyName, 30)}`,
      origin,
      safeText(description, 60),
    ]),
  ]);
}

function infoDocument(info: PluginInfo): Record<string, unknown> {
  return {
    ...summaryDocument(info),
    manifest: info.manifest,
    permissions: info.permissions,
    enforcement: info.enforcement,
    configuration: configDocument(info.id, info.configuration),
    statistics: info.statistics,
  };
}

function infoText(info: PluginInfo, style: ReturnType<typeof styler>): string {
  const { manifest } = info;
  const lines = [
    `${style('bold', info.id)} ${info.version}  ${safeText(info.description)}`,
    `  license    ${safeText(manifest.plugin.license)}`,
    `  folder     ${safeText(info.directory, 400)} (${info.origin})`,
    `  bundle     ${info.bundleSha256 ?? 'not verified yet'}`,
    `  trust      ${info.trust.kind}${signer(info)}`,
    `  state      ${info.enabled ? info.state : 'disabled'}`,
    'Capabilities:',
    ...manifest.capabilities.map(
      ({ kind, name, description }) =>
        `  ${kind} ${name}${description === undefined ? '' : `: ${safeText(description)}`}`,
    ),
    'Permissions:',
    ...(info.permissions.length === 0
      ? ['  none']
      : info.permissions.map(({ key, status, risk, sentence, reason }) =>
          [
            `  ${status.padEnd(9)} ${risk.padEnd(8)} ${safeText(key, 300)}  ${safeText(sentence, 300)}`,
            reason === null ? '' : ` It says: "${safeText(reason)}"`,
          ].join(''),
        )),
    'Configuration:',
    ...configSummary(info.id, info.configuration),
    'Confinement on this machine:',
    ...Object.entries(info.enforcement).map(([dimension, level]) => `  ${dimension.padEnd(12)} ${level}`),
  ];
  return lines.join('\n');
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
