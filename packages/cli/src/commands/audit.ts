import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AuditFilter, AuditRecord, HostClient } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { writeLines } from '../text-file.ts';

/** `mmm audit …`: who allowed, refused and started what. */
export function addAuditCommands(program: Command, registry: Registry): void {
  const audit = program
    .command('audit')
    .description('what was decided, refused and started, and that nobody changed it');
  addList(audit, registry);
  addVerify(audit, registry);
  addExport(audit, registry);
}

interface ListOptions extends GlobalOptions {
  readonly plugin?: string;
  readonly action?: string;
  readonly since?: string;
  readonly limit: string;
}

function addList(audit: Command, registry: Registry): void {
  const command = withGlobals(audit.command('list'))
    .alias('ls')
    .description('print the last entries, oldest of them first')
    .option('--plugin <name>', 'only about this plugin')
    .option('--action <action>', 'only of this kind, such as launch, grant, refused or key')
    .option('--since <time>', 'not before: 2027-01-31, 2027-01-31T12:00:00Z, or 24h ago')
    .option('--limit <n>', 'how many', '100')
    .action((options: ListOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const entries = await host.audit.list(await filterOf(options));
            print(io, options, { entries }, entries.length === 0 ? 'No entries.' : entries.map(entryText).join('\n'));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm audit list --since 24h', 'mmm audit list --plugin fetcher --action refused']);
}

async function filterOf({ plugin, action, since, limit }: ListOptions): Promise<AuditFilter> {
  const { systemClock } = await import('@mmm/host');
  if (!/^[1-9]\d{0,8}$/.test(limit)) {
    const message = `--limit takes a whole number of at least 1, not ${JSON.stringify(limit.slice(0, 40))}.`;
    throw new MmmError('USAGE', message, { argument: '--limit' });
  }
  return {
    ...(plugin === undefined ? {} : { plugin }),
    ...(action === undefined ? {} : { action }),
    ...(since === undefined ? {} : { since: parseTime('--since', since, 'past', systemClock.now()) }),
    limit: Number(limit),
  };
}

function entryText({ seq, at, action, plugin, detail }: AuditRecord): string {
  const about = plugin === undefined ? '' : ` ${safeText(plugin, 100)}`;
  return `${seq} ${at} ${safeText(action, 40)}${about}  ${safeText(JSON.stringify(detail), 2000)}`;
}

function addVerify(audit: Command, registry: Registry): void {
  withGlobals(audit.command('verify'))
    .description('find entries that were edited, removed, added or moved, and files that are gone')
    .argument('[file]', 'an exported copy instead of the log of this home; a cut at its end cannot be seen')
    .action((file: string | undefined, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const { AuditLog } = await import('@mmm/host');
            const result = file === undefined ? await host.audit.verify() : AuditLog.verify(existing(io, file));
            const { entries, problem } = result;
            const head = file === undefined ? (await host.audit.head()).hash : null;
            const document = { intact: problem === undefined, entries, head, problem: problem ?? null };
            const text =
              problem === undefined
                ? `${entries} entries, none changed or missing.${head === null ? '' : `\n  head ${head}`}`
                : `${problem.file}, line ${problem.line} is not as it was written: ${problem.reason}.\n` +
                  `${entries} entries before it are in order.`;
            print(io, options, document, text);
            return problem === undefined ? exitCodes.ok : exitCodes.findings;
          }),
        options,
      ),
    );
}

/** A file that is not there has no entries, and none of them is wrong: that must not look like a good copy. */
function existing(io: Io, file: string): string {
  const path = resolve(io.cwd, file);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  throw new MmmError('USAGE', `There is no file ${path}.`, { argument: file });
}

function addExport(audit: Command, registry: Registry): void {
  withGlobals(audit.command('export'))
    .description('print every entry as it was written, one JSON document a line')
    .option('--output <file>', 'write a file instead')
    .action((options: GlobalOptions & { readonly output?: string }) =>
      registry.select((io) => withHostToRead(io, options, (host) => exportAll(io, options, host)), options),
    );
}

async function exportAll(
  io: Io,
  options: GlobalOptions & { readonly output?: string },
  host: HostClient,
): Promise<number> {
  const { output } = options;
  const { problem } = await host.audit.verify();
  if (problem !== undefined) note(io, `The log was changed: ${problem.file}, line ${problem.line}: ${problem.reason}.`);
  const code = problem === undefined ? exitCodes.ok : exitCodes.findings;
  const { hash: head } = await host.audit.head();
  if (output !== undefined) {
    const entries = await writeLines(io, output, host.audit.lines(), 0o600);
    const text = `Wrote ${entries} entries to ${output}.\n  head ${head}`;
    print(io, options, { file: output, entries, head, problem: problem ?? null }, text);
  } else if (options.json === true) {
    const entries: unknown[] = [];
    for await (const line of host.audit.lines()) entries.push(JSON.parse(line));
    print(io, options, { file: null, entries, head, problem: problem ?? null }, '');
  } else {
    for await (const line of host.audit.lines()) io.stdout.write(`${line}\n`);
  }
  return code;
}
