import type { HostClient, PluginInfo, WaitingUpdate } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { mayAsk } from '../consent.ts';
import type { Io } from '../io.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print } from '../output.ts';
import { sourceIn } from '../plugin-path.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { waitingOf } from '../update-text.ts';
import { askForUpdate, waitingText } from './consent.ts';
import { installFrom } from './install.ts';

/** `mmm plugin update`. */
export function addUpdateCommand(plugin: Command, registry: Registry): void {
  const update = withGlobals(plugin.command('update'))
    .description('install a newer version over the one that runs, or accept one that waits')
    .argument('<plugin>', 'its name; or a .mmmp archive or folder (./DIR) with the newer version')
    .option('--grant <permission...>', 'grant these permissions, each by name')
    .option('--grant-requested', 'grant everything it asks for, except critical permissions')
    .option('--drop', 'forget the update; the version that is installed stays')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, (host) => {
            return isFile(id) ? updateFrom(io, options, host, id) : decideUpdate(io, options, host, id);
          }),
        options,
      ),
    );
  withExamples(
    update,
    [
      'mmm plugin update ./fetcher-1.1.0.mmmp',
      'mmm plugin update fetcher',
      'mmm plugin update fetcher --grant network=api.example.com:443',
    ],
    'What runs is replaced without a gap for its callers; an update that does not start is taken back.\n' +
      'An update that asks for more than you agreed to is put by: the version before keeps running until you decide.',
  );
}

interface UpdateOptions extends GlobalOptions {
  readonly grant?: readonly string[];
  readonly grantRequested?: boolean;
  readonly drop?: boolean;
}

/** A name has neither an extension nor a dot in front; a folder is written as such. */
function isFile(text: string): boolean {
  return text.endsWith('.mmmp') || text.startsWith('/') || text.startsWith('.');
}

async function updateFrom(io: Io, options: UpdateOptions, host: HostClient, path: string): Promise<number> {
  if (options.drop === true) {
    const message = '--drop forgets an update that waits; name the plugin, not a file.';
    throw new MmmError('USAGE', message, { argument: '--drop' });
  }
  const source = sourceIn(io, path);
  const { id: name } = await host.inspect(source);
  // An update is of something: this throws PLUGIN_NOT_FOUND.
  await host.info(name);
  const { grant, grantRequested } = options;
  const flags = { grantRequested: grantRequested === true, ...(grant === undefined ? {} : { grant }) };
  return await installFrom(io, options, host, source, flags);
}

async function decideUpdate(io: Io, options: UpdateOptions, host: HostClient, id: string): Promise<number> {
  const info = await host.info(id);
  if (options.drop === true) {
    const dropped = await host.dropUpdate(id);
    const { version } = info.update ?? { version: '' };
    const text = dropped ? `Dropped ${id} ${version}; ${info.version} stays.` : `No update of ${id} waits.`;
    print(io, options, { id, dropped }, text);
    return exitCodes.ok;
  }
  if (info.update !== null && 'problem' in info.update) {
    const { version, problem } = info.update;
    const message =
      `The update of ${id} to ${version} cannot be used: ${problem} ` +
      `Forget it with: mmm plugin update ${id} --drop`;
    throw new MmmError('USAGE', message, { argument: id });
  }
  const update = waitingOf(info);
  if (update === undefined) {
    print(io, options, { id, update: null, updated: null }, `No update of ${id} waits.`);
    return exitCodes.ok;
  }
  const keys = await keysFor(io, options, info, update);
  const report = keys.length === 0 ? undefined : await host.grant(id, keys);
  const updated = report?.updated ?? null;
  print(
    io,
    options,
    { id, update, updated },
    updated === null ? await waitingText(info, update) : `Updated ${id} to ${updated}.`,
  );
  return updated === null ? exitCodes.consent : exitCodes.ok;
}

async function keysFor(
  io: Io,
  options: UpdateOptions,
  info: PluginInfo,
  update: WaitingUpdate,
): Promise<readonly string[]> {
  const requested = update.permissions
    .filter(({ status, risk }) => status === 'missing' && risk !== 'critical')
    .map(({ key }) => key);
  const named = [...(options.grant ?? []), ...(options.grantRequested === true ? requested : [])];
  if (named.length > 0 || !mayAsk(io, options)) return named;
  return await askForUpdate(io, info, update);
}
