import type { ActionReport, EmitReport, EventFilter, EventRecord, EventStatus, HostClient } from '@mmm/host';
import { safeLines, safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { readJson } from '../json-argument.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print, table } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { addDeadCommands } from './events-dead.ts';
import { addGitHookCommands } from './git-hook.ts';

/** `mmm events …`: what happens, who is told of it and who may stop it. */
export function addEventCommands(program: Command, registry: Registry): void {
  const events = program.command('events').description('what happens, which plugins are told, and which may stop it');
  addEmit(events, registry);
  addTail(events, registry);
  addStatus(events, registry);
  addDeliver(events, registry);
  addDeadCommands(events, registry);
  addGitHookCommands(events, registry);
}

interface EmitCommandOptions extends GlobalOptions {
  readonly data: string;
  readonly source: string;
  readonly wait: boolean;
}

function addEmit(events: Command, registry: Registry): void {
  const command = withGlobals(events.command('emit'))
    .description('say that something happens: hooks are asked, and with a veto the exit code is 7')
    .argument('<type>', 'what happens, such as before_commit')
    .option('--data <json>', 'about it, as JSON; @FILE reads a file, - standard input', 'null')
    .option('--source <name>', 'who says so', 'cli')
    .option('--no-wait', 'do not wait until the plugins that subscribed to it were told')
    .action((type: string, options: EmitCommandOptions) =>
      registry.select(async (io) => {
        const data = await readJson(io, '--data', options.data);
        return await withHost(io, options, async (host) => {
          const report = await host.emit(type, data, { source: options.source, signal: io.interrupted });
          if (options.wait) await host.events.deliver();
          noteFailed(io, report);
          print(io, options, report, emitText(type, report));
          return report.veto === undefined ? exitCodes.ok : exitCodes.findings;
        });
      }, options),
    );
  withExamples(command, [
    `mmm events emit deploy.requested --data '{"to":"staging"}' && ./deploy.sh staging`,
    'mmm events emit after_spec_run --data @result.json --json',
  ]);
}

/** Who did not answer may have had something to say. */
export function noteFailed(io: Io, { failedHooks = [] }: EmitReport): void {
  for (const { plugin, error } of failedHooks) {
    note(io, `The hook of ${safeText(plugin)} did not answer: ${indented(error)}`);
  }
}

/** What became of an event, for a person. */
export function emitText(type: string, { id, actions, veto }: EmitReport): string {
  if (veto !== undefined) {
    return `Vetoed by ${safeText(veto.plugin)}: ${indented(veto.reason)}`;
  }
  return [`${safeText(type)} is event ${id}.`, ...actions.map(actionText)].join('\n');
}

/** The words of a plugin, which may have lines. None begins where ours do, so none can be taken for one of them. */
function indented(text: string): string {
  return safeLines(text, 40, 1000).replaceAll('\n', '\n  ');
}

function actionText({ hook, plugin, capability, ok, error }: ActionReport): string {
  const what = `${safeText(plugin)} ${safeText(capability)}, for ${safeText(hook)}`;
  return ok ? `  called ${what}` : `  did not call ${what}: ${safeText(error ?? '', 1000)}`;
}

interface TailOptions extends GlobalOptions {
  readonly follow?: boolean;
  readonly type?: readonly string[];
  readonly since?: string;
  readonly limit: string;
}

function addTail(events: Command, registry: Registry): void {
  const command = withGlobals(events.command('tail'))
    .description('print the last events, oldest of them first')
    .option('-f, --follow', 'go on printing what happens, until Ctrl-C')
    .option('--type <glob...>', 'only of these types, * for any characters')
    .option('--since <time>', 'not before: 2027-01-31, 2027-01-31T12:00:00Z, or 24h ago')
    .option('--limit <n>', 'how many', '100')
    .action((options: TailOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const filter = await filterOf(options);
            if (options.follow === true) return await follow(io, options, host, filter);
            const found = await host.events.list(filter);
            print(io, options, { events: found }, found.length === 0 ? 'No events.' : found.map(eventText).join('\n'));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, [
    "mmm events tail --type 'plugin.*' --since 24h",
    "mmm events tail --follow --type 'plugin.crashed' --json",
  ]);
}

/** With --json one document a line, because there is no last one. */
async function follow(io: Io, options: TailOptions, host: HostClient, filter: EventFilter): Promise<number> {
  for await (const event of host.events.follow({ ...filter, signal: io.interrupted })) {
    print(io, options, event, eventText(event));
  }
  return exitCodes.ok;
}

async function filterOf({ type, since, limit }: TailOptions): Promise<EventFilter> {
  const { systemClock } = await import('@mmm/host');
  if (!/^[1-9]\d{0,8}$/.test(limit)) {
    const message = `--limit takes a whole number of at least 1, not ${JSON.stringify(limit.slice(0, 40))}.`;
    throw new MmmError('USAGE', message, { argument: '--limit' });
  }
  return {
    ...(type === undefined ? {} : { types: type }),
    ...(since === undefined ? {} : { since: parseTime('--since', since, 'past', systemClock.now()) }),
    limit: Number(limit),
  };
}

function eventText({ timestamp, id, type, source, data }: EventRecord): string {
  const about = data === null ? '' : `  ${safeText(JSON.stringify(data), 2000)}`;
  return `${timestamp} ${id} ${safeText(type, 200)} ${safeText(source, 100)}${about}`;
}

function addStatus(events: Command, registry: Registry): void {
  withGlobals(events.command('status'))
    .description('print the size of the journal and how far each subscribed plugin is')
    .action((options: GlobalOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const status = await host.events.status();
            print(io, options, status, statusText(status));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function statusText({ events, bytes, consumers }: EventStatus): string {
  const journal = `${events} events in the journal, ${(bytes / 1024 / 1024).toFixed(1)} MB.`;
  if (consumers.length === 0) return `${journal}\nNobody has subscribed.`;
  const rows = consumers.map(({ consumer, behind, expired, deadLetters }) => {
    return [safeText(consumer, 200), String(behind), String(deadLetters), String(expired)];
  });
  return `${journal}\n${table([['CONSUMER', 'BEHIND', 'PUT BY', 'EXPIRED'], ...rows])}`;
}

function addDeliver(events: Command, registry: Registry): void {
  withGlobals(events.command('deliver'))
    .description('tell subscribed plugins what they were not told yet; a daemon does so by itself')
    .action((options: GlobalOptions) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            await host.events.deliver();
            const status = await host.events.status();
            print(io, options, status, statusText(status));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}
