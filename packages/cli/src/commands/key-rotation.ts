import type { RotationReport } from '@mmm/host';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { readTextFile, writeTextFile } from '../text-file.ts';

/** `mmm key rotate` for your own key, `mmm key rotations import` for a publisher's. */
export function addRotationCommands(key: Command, registry: Registry): void {
  const rotate = withGlobals(key.command('rotate'))
    .description('let a new key take over from one of yours, under its name')
    .argument('[name]', 'the key to retire (default: your only one, or "default")')
    .option('--cutover <time>', 'from then on nothing new is taken from the old key: 2027-01-31, or 14d (default: now)')
    .option('--output <file>', 'where to write the statement that others import')
    .action((name: string | undefined, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const { systemClock } = await import('@mmm/host');
            const { cutover, output } = options;
            const cutoverAt = cutover && parseTime('--cutover', cutover, 'future', systemClock.now());
            const report = await host.rotateKey(name, cutoverAt === undefined ? {} : { cutoverAt });
            if (output !== undefined) writeTextFile(io, output, report.statement, 0o644);
            else if (options.json !== true) note(io, 'Those who trust the old key import: mmm key export --rotation');
            return show(io, options, report, output);
          }),
        options,
      ),
    );
  withExamples(rotate, ['mmm key rotate --output rotation.json', 'mmm key rotate work --cutover 14d'], afterwards);
  const rotations = key.command('rotations').description('follow publishers to their new keys');
  withGlobals(rotations.command('import'))
    .description('trust the new key of a publisher in the place of the old one; grants and data stay')
    .argument('<file>', 'the statement the publisher made, or - for standard input')
    .action((file: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.importRotation(await readTextFile(io, file), file);
            return show(io, options, report, undefined);
          }),
        options,
      ),
    );
}

const afterwards =
  'Give the statement to those who trust the old key: `mmm key rotations import` keeps grants and data. Until they\n' +
  'have it they trust only the old key; sign with both until the cut-over (`mmm plugin sign --key`).';

function show(io: Io, options: GlobalOptions, report: RotationReport, file: string | undefined): number {
  const { from, to, cutoverAt, statement } = report;
  const shown = ({ name, keyid, fingerprint }: RotationReport['to']) => ({ name, keyid, fingerprint });
  const document = { from: shown(from), to: shown(to), scopes: to.scopes, cutoverAt, statement, file: file ?? null };
  const lines = [
    `The key "${to.name}" has taken over; nothing new is taken from the old one after ${cutoverAt}.`,
    `  new fingerprint  ${to.fingerprint}`,
    `  old fingerprint  ${from.fingerprint} (now called "${from.name}")`,
    `  for              ${to.scopes.join(', ')}`,
    ...(file === undefined ? [] : [`Wrote the statement for others to ${file}.`]),
  ];
  print(io, options, document, lines.join('\n'));
  return exitCodes.ok;
}
