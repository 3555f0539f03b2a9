import { resolve } from 'node:path';
import type { Host, InstallReport } from '@mmm/host';
import type { Command } from 'commander';
import { askForMissing, mayAsk, TerminalPrompter } from '../consent.ts';
import type { Io } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print } from '../output.ts';
import { folderIn, pathIn } from '../plugin-path.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `sign`, `verify`, `install`, `remove`: what brings plugins in and out. */
export function addInstallCommands(plugin: Command, registry: Registry): void {
  addInstall(plugin, registry);
  withGlobals(plugin.command('sign'))
    .description('sign a plugin folder: writes .mmm/index.json and .mmm/signatures.json')
    .argument('<dir>', 'the plugin folder')
    .option('--key <name>', 'which of your keys to use (default: the only one, or "default")')
    .action((directory: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const signed = await host.sign(resolve(io.cwd, directory), options.key);
            const { id, version, indexSha256, keyid, files } = signed;
            print(
              io,
              options,
              { id, version, bundleSha256: indexSha256, keyid, files },
              `Signed ${id} ${version} (${files} files) with ${keyid}.\n  bundle ${indexSha256}`,
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(plugin.command('verify'))
    .description('check every byte of a plugin against its signature and your trust')
    .argument('<path-or-plugin>', 'a plugin folder, else the name of an installed plugin')
    .action((target: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const path = pathIn(io, target);
            const report = await host.verify(path ?? target);
            const { id, version, trust, files, bytes } = report;
            const place = path === undefined ? 'as installed' : `in ${path}`;
            const text = `${id} ${version} ${place} is intact: ${files} files, ${bytes} bytes, ${trustText(trust)}.`;
            print(io, options, { ...report, directory: path ?? null }, text);
            return exitCodes.ok;
          }),
        options,
      ),
    );
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
    .description('verify a plugin folder, copy it into the store and enable it')
    .argument('<path>', 'the folder that holds plugin.toml')
    .option('--grant-requested', 'grant everything it asks for, except critical permissions')
    .option('--grant <permission...>', 'grant these permissions, each by name')
    .option('--allow-unsigned <name>', 'install this plugin without a signature; recorded in the audit log')
    .option('--allow-downgrade', 'install an older version than the installed one; recorded in the audit log')
    .action((path: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const installed = await host.install(folderIn(io, path), {
              grantRequested: options.grantRequested === true,
              ...(options.allowDowngrade === true ? { allowDowngrade: true } : {}),
              ...(options.grant === undefined ? {} : { grant: options.grant }),
              ...(options.allowUnsigned === undefined ? {} : { allowUnsigned: options.allowUnsigned }),
            });
            const report = await decide(io, options, host, installed);
            print(io, options, report, await installText(report));
            return report.missing.length > 0 ? exitCodes.consent : exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(
    command,
    [
      'mmm plugin install ./calculator',
      'mmm plugin install ./fetcher --grant network=api.example.com:443',
      'mmm plugin install ./fetcher --grant-requested',
    ],
    'A plugin that requires permissions nobody has decided on is installed, but does not start. At a terminal you\n' +
      'are asked; elsewhere the command ends with exit code 3 and prints the `mmm plugin grant` line that decides.',
  );
}

/** At a terminal what is missing is asked for at once; elsewhere it stays missing. */
async function decide(io: Io, options: GlobalOptions, host: Host, report: InstallReport): Promise<InstallReport> {
  if (report.missing.length === 0 || !mayAsk(io, options)) return report;
  const { systemClock } = await import('@mmm/host');
  const prompter = new TerminalPrompter(io, systemClock, { once: false });
  const keys = await askForMissing(prompter, await host.info(report.id));
  return keys.length === 0 ? report : { ...report, ...(await host.grant(report.id, keys)) };
}

async function installText(report: InstallReport): Promise<string> {
  const { id, trust, granted, missing } = report;
  const lines = [`${whatHappened(report)}, ${trustText(trust)}.`];
  if (report.dataKept !== null) {
    lines.push(`Another publisher signed it than before: it starts without the old data, kept in ${report.dataKept}`);
  }
  if (granted.length > 0) lines.push(`Granted: ${granted.join(', ')}`);
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
  }
}

function trustText(trust: { kind: string; keyName?: string; keyid?: string }): string {
  return trust.kind === 'signed'
    ? `signed by "${trust.keyName ?? ''}" (${trust.keyid ?? ''})`
    : `${trust.kind.toUpperCase()}`;
}
