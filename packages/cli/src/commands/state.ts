import { resolve } from 'node:path';
import type { StatePlace } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { formatOutput } from '../format-output.ts';
import { type Io, readFileUpTo, readStdin } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print, table } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** What is read of a file or of standard input: a little more than the largest value, so that the host says which. */
const valueBytesMax = 2 * 1024 * 1024;

interface StateOptions extends GlobalOptions {
  readonly plugin?: string;
  readonly project?: boolean;
  readonly global?: boolean;
}
interface ChangeOptions extends StateOptions {
  readonly ifVersion?: string;
  readonly string?: boolean;
}

/** `mmm state …`: the values that plugins keep in the host. */
export function addStateCommands(program: Command, registry: Registry): void {
  const state = program.command('state').description('the values that plugins keep in the host');
  addGet(state, registry);
  addSet(state, registry);
  addList(state, registry);
  addDelete(state, registry);
}

function withPlace(command: Command): Command {
  return withGlobals(command)
    .option('--plugin <name>', 'what this plugin keeps for itself')
    .option('--project', 'what plugins share in the project of this folder')
    .option('--global', 'what plugins share everywhere');
}

function placeOf({ plugin, project, global }: StateOptions): StatePlace {
  const named: StatePlace[] = [
    ...(plugin === undefined ? [] : [{ plugin }]),
    ...(project === true ? ['project' as const] : []),
    ...(global === true ? ['global' as const] : []),
  ];
  const [place] = named;
  if (place !== undefined && named.length === 1) return place;
  const message = 'Say whose values are meant, with one of: --plugin NAME, --project, --global.';
  throw new MmmError('USAGE', message, { argument: '--plugin' });
}

function addGet(state: Command, registry: Registry): void {
  const command = withPlace(state.command('get'))
    .description('print one value')
    .argument('<key>', 'its key')
    .action((key: string, options: StateOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const { value, version } = await host.state.get(placeOf(options), key);
            print(io, options, { key, value, version }, version === 0 ? '' : formatOutput(io, value));
            return version === 0 ? exitCodes.notFound : exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(
    command,
    ['mmm state get --plugin notes last_opened', 'mmm state get --global theme --json'],
    'Exits 5 when there is none.',
  );
}

function addSet(state: Command, registry: Registry): void {
  const command = withPlace(state.command('set'))
    .description('write one value')
    .argument('<key>', 'its key')
    .argument('<json>', 'the value as JSON; @FILE reads a file, - standard input')
    .option('--string', 'take the value as text, also when it looks like JSON')
    .option('--if-version <n>', 'only if this is its current version; 0 for a key that is not there')
    .action((key: string, text: string, options: ChangeOptions) =>
      registry.select(async (io) => {
        const place = placeOf(options);
        const condition = conditionOf(options);
        const value = await jsonOf(io, text, options);
        return await withHost(io, options, async (host) => {
          const version = await host.state.set(place, key, value, condition);
          print(io, options, { key, version }, `Set ${safeText(key, 200)}: version ${version}.`);
          return exitCodes.ok;
        });
      }, options),
    );
  withExamples(command, [
    `mmm state set --plugin notes last_opened '"ideas.md"'`,
    'mmm state set --global theme --string dark --if-version 3',
  ]);
}

function addList(state: Command, registry: Registry): void {
  withPlace(state.command('list'))
    .alias('ls')
    .description('print keys and their versions')
    .argument('[prefix]', 'only those that begin so')
    .action((prefix: string | undefined, options: StateOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const items = await host.state.list(placeOf(options), prefix);
            const rows = items.map(({ key, version }) => [safeText(key, 512), String(version)]);
            print(io, options, { items }, rows.length === 0 ? 'No values.' : table([['KEY', 'VERSION'], ...rows]));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addDelete(state: Command, registry: Registry): void {
  withPlace(state.command('delete'))
    .alias('rm')
    .description('delete one value')
    .argument('<key>', 'its key')
    .option('--if-version <n>', 'only if this is its current version')
    .action((key: string, options: ChangeOptions) =>
      registry.select(async (io) => {
        const place = placeOf(options);
        const condition = conditionOf(options);
        return await withHost(io, options, async (host) => {
          await host.state.delete(place, key, condition);
          print(io, options, { key, version: 0 }, `There is no ${safeText(key, 200)} now.`);
          return exitCodes.ok;
        });
      }, options),
    );
}

function conditionOf({ ifVersion }: ChangeOptions): { readonly ifVersion?: number } {
  if (ifVersion === undefined) return {};
  if (/^\d{1,15}$/.test(ifVersion)) return { ifVersion: Number(ifVersion) };
  const message = `--if-version takes a version, which is a whole number, not "${safeText(ifVersion, 40)}".`;
  throw new MmmError('USAGE', message, { argument: '--if-version' });
}

async function jsonOf(io: Io, given: string, { string }: ChangeOptions): Promise<unknown> {
  const text = await textOf(io, given);
  if (string === true) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `The value is not JSON: ${safeText(reason)}. For a text as it is: --string`;
    throw new MmmError('USAGE', message, { argument: 'json' });
  }
}

async function textOf(io: Io, given: string): Promise<string> {
  if (given !== '-' && !given.startsWith('@')) return given;
  try {
    if (given === '-') return await readStdin(io, valueBytesMax);
    return await readFileUpTo(resolve(io.cwd, given.slice(1)), valueBytesMax);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError('USAGE', `The value cannot be read: ${reason}`, { argument: given });
  }
}
