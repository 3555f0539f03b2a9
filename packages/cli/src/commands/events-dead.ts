import type { DeadLetter, HostClient } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm events dead …`: events that plugins failed to handle at every try. */
export function addDeadCommands(events: Command, registry: Registry): void {
  const dead = events.command('dead').description('events that a plugin failed to handle at every try');
  addList(dead, registry);
  addRetry(dead, registry);
  addDrop(dead, registry);
}

function addList(dead: Command, registry: Registry): void {
  withGlobals(dead.command('list'))
    .alias('ls')
    .description('print them with why they failed, oldest first')
    .argument('[plugin]', 'only those of this one')
    .action((plugin: string | undefined, options: GlobalOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const letters = await host.events.deadLetters(plugin);
            const text = letters.length === 0 ? 'None.' : letters.map(letterText).join('\n');
            print(io, options, { deadLetters: letters }, text);
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function letterText({ id, consumer, eventId, type, source, failedAt, tries, error }: DeadLetter): string {
  const head = `${id}  ${safeText(consumer, 200)}  ${safeText(type, 200)} (${eventId} of ${safeText(source, 100)})`;
  return `${head}\n  failed ${tries} times, last ${failedAt}: ${safeText(error, 1000)}`;
}

interface AllOptions extends GlobalOptions {
  readonly all?: boolean;
}

function addRetry(dead: Command, registry: Registry): void {
  const command = withGlobals(dead.command('retry'))
    .description('deliver them again, now; exit code 7 when one fails again')
    .argument('[number...]', 'which, as listed')
    .option('--all', 'all of them')
    .action((given: readonly string[], options: AllOptions) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const results: { readonly id: number; readonly error: string | null }[] = [];
            for (const id of await chosen(host, given, options)) {
              results.push({ id, error: await host.events.retry(id) });
            }
            const lines = results.map(({ id, error }) => {
              return error === null ? `${id}: handled.` : `${id}: failed again: ${safeText(error, 1000)}`;
            });
            print(io, options, { results }, lines.length === 0 ? 'None.' : lines.join('\n'));
            return results.every(({ error }) => error === null) ? exitCodes.ok : exitCodes.findings;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm events dead retry 12 13', 'mmm events dead retry --all']);
}

function addDrop(dead: Command, registry: Registry): void {
  withGlobals(dead.command('drop'))
    .description('forget them')
    .argument('[number...]', 'which, as listed')
    .option('--all', 'all of them')
    .action((given: readonly string[], options: AllOptions) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const dropped: number[] = [];
            for (const id of await chosen(host, given, options)) if (await host.events.drop(id)) dropped.push(id);
            print(io, options, { dropped }, `Forgot ${dropped.length}.`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

async function chosen(host: HostClient, given: readonly string[], { all }: AllOptions): Promise<readonly number[]> {
  if (all === true && given.length === 0) return (await host.events.deadLetters()).map(({ id }) => id);
  if (all === true || given.length === 0) {
    const message = 'Name them by their numbers, or pass --all: one of the two. `mmm events dead list` shows them.';
    throw new MmmError('USAGE', message, { argument: all === true ? '--all' : '' });
  }
  return given.map((text) => {
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
    throw new MmmError('USAGE', `${JSON.stringify(text.slice(0, 40))} is no number of an event that was put by.`, {
      argument: text.slice(0, 40),
    });
  });
}
