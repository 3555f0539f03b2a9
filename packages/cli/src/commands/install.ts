import type { HostClient, InstallOptions, InstallReport } from '@mmm/host';
import { heardEvents } from '@mmm/protocol';
import type { Command } from 'commander';
import { askForMissing, mayAsk, TerminalPrompter } from '../consent.ts';
import { heardLines } from '../heard-text.ts';
import type { Io } from '../io.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { sourceIn } from '../plugin-path.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { trustText } from '../trust-text.ts';
import { similarText, stepNotice, stepText, waitingOf } from '../update-text.ts';
import { askForUpdate, waitingText } from './consent.ts';
import { reloadText } from './reload.ts';

/** `install`, `remove`: what brings plugins in and out. */
export function addInstallCommands(plugin: Command, registry: Registry): void {
  addInstall(plugin, registry);
  withGlobals(plugin.command('remove'))
    .alias('uninstall')
    .description('remove an installed plugin, its grants and its data')
    .argument('<plugin>', 'its name')
    .option('--keep-data', 'keep the folder the plugin wrote to and its configuration')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            await host.remove(id, { keepData: options.keepData === true });
            print(io, options, { id, removed: true }, `Removed ${id}.`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addInstall(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('install'))
    .description('verify a plugin folder or archive, copy it into the store and enable it')
    .argument('<path>', 'a .mmmp archive, or the folder that holds plugin.toml')
    .option('--grant-requested', 'grant everything it asks for, except critical permissions')
    .option('--grant <permission...>', 'grant these permissions, each by name')
    .option('--allow-unsigned <name>', 'install this plugin without a signature; recorded in the audit log')
    .option('--allow-version-reuse <name>', 'replace other content under the same version, of your own; recorded')
    .option('--allow-publisher-change <name>', 'replace the plugin of another publisher; recorded in the audit log')
    .option('--allow-downgrade', 'install an older version than the installed one; recorded in the audit log')
    .option('--no-hooks', 'never run its install step')
    .action((path: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            return await installFrom(io, options, host, sourceIn(io, path), {
              grantRequested: options.grantRequested === true,
              hooks: options.hooks,
              ...(options.allowDowngrade === true ? { allowDowngrade: true } : {}),
              ...(options.grant === undefined ? {} : { grant: options.grant }),
              ...(options.allowUnsigned === undefined ? {} : { allowUnsigned: options.allowUnsigned }),
              ...(options.allowVersionReuse === undefined ? {} : { allowVersionReuse: options.allowVersionReuse }),
              ...(options.allowPublisherChange === undefined
                ? {}
                : { allowPublisherChange: options.allowPublisherChange }),
            });
          }),
        options,
      ),
    );
  withExamples(
    command,
    [
      'mmm plugin install ./calculator',
      'mmm plugin install ./calculator-1.0.0.mmmp',
      'mmm plugin install ./fetcher --grant network=api.example.com:443',
      'mmm plugin install ./fetcher --grant-requested',
    ],
    'A plugin that requires permissions nobody has decided on is installed, but does not start. At a terminal you\n' +
      'are asked; elsewhere the command ends with exit code 3 and prints the `mmm plugin grant` line that decides.',
  );
}

/** Installs what lies there, asks about what is missing where it may, and says what came of it. */
export async function installFrom(
  io: Io,
  options: GlobalOptions,
  host: HostClient,
  source: string,
  flags: InstallOptions,
): Promise<number> {
  const installed = await host.install(source, { ...flags, signal: io.interrupted });
  const careful = similarText(installed.id, installed.similar);
  if (careful !== undefined && options.json !== true) note(io, careful);
  const report = await decide(io, options, host, installed);
  print(io, options, report, await installText(report, host));
  if (report.missing.length > 0) return exitCodes.consent;
  return report.step?.state === 'failed' ? exitCodes.crashed : exitCodes.ok;
}

/** At a terminal what is missing is asked for at once; elsewhere it stays missing. */
async function decide(io: Io, options: GlobalOptions, host: HostClient, report: InstallReport): Promise<InstallReport> {
  if (report.missing.length === 0 || !mayAsk(io, options)) return report;
  const info = await host.info(report.id);
  const update = report.change === 'waiting' ? waitingOf(info) : undefined;
  if (report.step?.state === 'pending') note(io, stepNotice(report.step));
  if (update === undefined) for (const line of heardLines(heardEvents(info.manifest))) note(io, line);
  const keys =
    update === undefined ? await askForMissing(await terminalPrompter(io), info) : await askForUpdate(io, info, update);
  if (keys.length === 0) return report;
  const { granted, missing, updated, step } = await host.grant(report.id, keys);
  if (report.change !== 'waiting') return { ...report, granted, missing, step: step ?? report.step };
  return updated === null ? report : { ...report, granted, missing, step, change: 'updated' };
}

async function terminalPrompter(io: Io): Promise<TerminalPrompter> {
  const { systemClock } = await import('@mmm/host');
  return new TerminalPrompter(io, systemClock, { once: false });
}

async function installText(report: InstallReport, host: HostClient): Promise<string> {
  const { id, trust, granted, missing } = report;
  if (report.change === 'waiting') {
    const info = await host.info(id);
    const update = waitingOf(info);
    if (update !== undefined) return await waitingText(info, update);
  }
  const lines = [`${whatHappened(report)}, ${trustText(trust)}.`];
  if (report.dataKept !== null) {
    lines.push(`Another publisher signed it than before: it starts without the old data, kept in ${report.dataKept}`);
  }
  lines.push(...heardLines(heardEvents((await host.info(id)).manifest)));
  if (granted.length > 0) lines.push(`Granted: ${granted.join(', ')}`);
  if (report.step !== null) lines.push(stepText(id, report.step));
  if (report.reload?.outcome === 'switched') lines.push(reloadText(report.reload));
  if (missing.length > 0) {
    const { grantCommand } = await import('@mmm/host');
    lines.push(`It will not start before you decide on: ${missing.join(', ')}`, `  ${grantCommand(id, missing)}`);
  }
  return lines.join('\n');
}

function whatHappened({ id, version, replaced, change }: InstallReport): string {
  switch (change) {
    case 'installed':
      return `Installed ${id} ${version}`;
    case 'reinstalled':
      return `Reinstalled ${id} ${version}`;
    case 'updated':
      return `Updated ${id} from ${replaced ?? ''} to ${version}`;
    case 'downgraded':
      return `Downgraded ${id} from ${replaced ?? ''} to ${version}`;
    case 'waiting':
      return `${id} ${version} waits for your consent, and ${replaced ?? ''} stays`;
  }
}
