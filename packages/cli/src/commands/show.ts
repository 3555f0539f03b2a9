import type { HostClient, LogLine, LogOptions, PluginInfo, PluginSummary } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { heardEvents, logLevel, MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { capabilityLines } from '../capability-text.ts';
import { heardLines } from '../heard-text.ts';
import type { Io } from '../io.ts';
import { limitLines } from '../limit-lines.ts';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print, styler, table } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { type Registry, withGlobals } from '../program.ts';
import { stepText } from '../update-text.ts';
import { configDocument, configSummary } from './config.ts';
import { statisticsDocument } from './stats.ts';

/** `list`, `info`, `logs`: what shows plugins. Everything a plugin wrote itself is escaped. */
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
}

function addLogs(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('logs'))
    .description("print the last lines of a plugin's log")
    .argument('<plugin>', 'its name')
    .option('--lines <n>', 'how many', '200')
    .option('--since <time>', 'only from then on: a time before now (30m, 24h, 7d), a date or a moment')
    .option('--level <level>', 'only this level and those above it: trace, debug, info, warn or error')
    .option('-f, --follow', 'go on printing what is logged, until Ctrl-C')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const count = wholeNumber('--lines', options.lines);
            if (options.follow === true) return await follow(io, options, host, id, count);
            const { systemClock } = await import('@mmm/host');
            const wanted = wantedLines(options, systemClock.now());
            const lines = await host.logs(id, { lines: count, ...wanted });
            print(io, options, { lines }, lines.map(logText).join('\n'));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

/** With --json one document a line, because there is no last one. */
async function follow(io: Io, options: GlobalOptions, host: HostClient, id: string, lines: number): Promise<number> {
  for await (const line of host.followLog(id, { lines, signal: io.interrupted })) {
    print(io, options, line, logText(line));
  }
  return exitCodes.ok;
}

function wantedLines(
  { since, level }: { readonly since?: string; readonly level?: string },
  nowMs: number,
): LogOptions {
  const known = logLevel.safeParse(level);
  if (level !== undefined && !known.success) {
    const levels = logLevel.options.join(', ');
    const message = `--level takes one of ${levels}, not "${safeText(level, 40)}".`;
    throw new MmmError('USAGE', message, { argument: '--level' });
  }
  return {
    ...(since === undefined ? {} : { since: parseTime('--since', since, 'past', nowMs) }),
    ...(known.success ? { level: known.data } : {}),
  };
}

function logText({ at, stream, level, message, fields }: LogLine): string {
  const more = fields === undefined || Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${at} ${stream.padEnd(6)} ${level.padEnd(5)} ${safeText(`${message}${more}`, 65_536)}`;
}

function wholeNumber(option: string, text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1) return value;
  throw new MmmError('USAGE', `${option} takes a whole number of at least 1, not "${safeText(text, 40)}".`, {
    argument: option,
  });
}

function listText(plugins: readonly PluginSummary[]): string {
  if (plugins.length === 0) return 'No plugins. Install one with: mmm plugin install DIR';
  return table([
    ['NAME', 'VERSION', 'STATE', 'TRUST', 'FROM', 'DESCRIPTION'],
    ...plugins.map((plugin) => [
      plugin.id,
      plugin.version,
      plugin.waiting === null ? stateText(plugin) : `${stateText(plugin)}, ${plugin.waiting} waits`,
      plugin.trust.keyName === undefined
        ? plugin.trust.kind
        : `${plugin.trust.kind}:${safeText(plugin.trust.keyName, 30)}`,
      plugin.origin,
      safeText(plugin.description, 60),
    ]),
  ]);
}

function stateText({ enabled, needsConsent, unmet, state }: PluginSummary): string {
  if (!enabled) return 'disabled';
  if (needsConsent) return 'needs consent';
  return unmet.length === 0 ? state : `needs ${unmet.join(', ')}`;
}

function dependencyLines({ dependencies }: PluginInfo): readonly string[] {
  if (dependencies.length === 0) return [];
  const lines = dependencies.map(({ plugin, range, optional, found, status, sentence }) => {
    const facts = `${plugin} ${safeText(range, 60)}${optional ? ' (optional)' : ''}`;
    return status === 'ready' ? `  ${facts}: ${found ?? ''} is there` : `  ${facts}: ${safeText(sentence, 1000)}`;
  });
  return ['Needs:', ...lines];
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
    ...updateLines(info),
    ...(info.step === null ? [] : [`  install    ${stepText(info.id, info.step)}`]),
    ...quarantineLines(info),
    'Capabilities:',
    ...info.capabilities.flatMap(capabilityLines),
    ...dependencyLines(info),
    'Permissions:',
    ...(await permissionLines(info)),
    ...heardLines(heardEvents(manifest)),
    'Configuration:',
    ...configSummary(info.id, info.configuration),
    'Confinement on this machine:',
    ...Object.entries(info.enforcement).map(([dimension, level]) => `  ${dimension.padEnd(12)} ${level}`),
    `Values kept in the host: ${info.storedValues.keys} keys, ${(info.storedValues.bytes / 1024).toFixed(1)} KB`,
    'Limits:',
    ...limitLines(info.limits),
  ];
  return lines.join('\n');
}

function quarantineLines({ id, quarantine }: PluginInfo): readonly string[] {
  if (quarantine === null) return [];
  const { untilMs, cause } = quarantine;
  const [first = ''] = cause.split('\n');
  return [
    `             not started before ${new Date(untilMs).toISOString()}, then tried once: ${safeText(first, 400)}`,
    `             At once after: mmm plugin reset ${id}`,
  ];
}

function updateLines({ id, update }: PluginInfo): readonly string[] {
  if (update === null) return [];
  if ('problem' in update)
    return [`  update     ${update.version} waits, and cannot be used: ${safeText(update.problem, 400)}`];
  return [`  update     ${update.version} waits, because it asks for more. Look at it with: mmm plugin update ${id}`];
}

export async function permissionLines({ id, permissions }: PluginInfo): Promise<readonly string[]> {
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
  return trust.keyName === undefined ? '' : ` by "${safeText(trust.keyName)}" (${trust.fingerprint ?? ''})`;
}
