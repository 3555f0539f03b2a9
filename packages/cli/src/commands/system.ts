import { join } from 'node:path';
import type { DoctorReport } from '@mmm/host';
import { type ErrorCode, errorHelp, MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { checksText } from '../checks.ts';
import { allCommands, followWords, type NamedCommand } from '../command-tree.ts';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

/** `mmm doctor` and `mmm help`. */
export function addSystemCommands(program: Command, registry: Registry): void {
  withGlobals(program.command('doctor'))
    .description('check what this machine can enforce and what is wrong')
    .action((options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host, missing) => withMissingHome(await host.doctor(), missing))
            .catch(brokenSettings)
            .then((report) => {
              print(io, options, report, checksText(io, report.checks));
              return report.ok ? exitCodes.ok : exitCodes.findings;
            }),
        options,
      ),
    );
  withGlobals(program.command('help'))
    .description('explain a command or an error, or list all of them')
    .argument('[topic...]', 'a command such as plugin install, or an error such as E0112, 112 or capability_not_found')
    .action((topic: string[], options) =>
      registry.select(async (io) => {
        const [word] = topic;
        const { document, text } = word === undefined ? overview(program) : await explain(program, topic);
        print(io, options, document, text);
        return exitCodes.ok;
      }, options),
    );
}

/** Settings that cannot be used keep every host from opening: they are then the one thing to say. */
function brokenSettings(error: unknown): Pick<DoctorReport, 'ok' | 'checks'> {
  if (!MmmError.is(error, 'CONFIG_INVALID') || !error.data.file.endsWith('config.toml')) throw error;
  const fix = 'Correct the file, or move it away for the defaults.';
  return { ok: false, checks: [{ name: 'settings', status: 'problem', message: error.message, fix }] };
}

/** Examined was an empty home in the place of the one that is missing. */
function withMissingHome(report: DoctorReport, missing: string | undefined): DoctorReport {
  if (missing === undefined) return report;
  const messages = new Map([
    ['home', `${missing} is not there yet; the first command that changes something makes it`],
    ['settings', `as by default: there is no ${join(missing, 'config.toml')}`],
  ]);
  const checks = report.checks.map((check) => ({ ...check, message: messages.get(check.name) ?? check.message }));
  return { ...report, checks };
}

interface Explanation {
  readonly document: unknown;
  readonly text: string;
}

function overview(program: Command): Explanation {
  const errors = allErrors().map(({ number, name, title, exitCode }) => ({ code: number, name, title, exitCode }));
  const lines = errors.map(({ code, title }) => `  ${code}  ${title}`);
  return {
    document: { commands: allCommands(program).map(commandDocument), errors },
    text: `${program.helpInformation()}\nErrors:\n${lines.join('\n')}\n`,
  };
}

async function explain(program: Command, topic: readonly string[]): Promise<Explanation> {
  const found = followWords(program, topic);
  if (found.rest.length === 0) return { document: commandDocument(found), text: wholeHelp(found.command) };
  const [only = ''] = topic;
  const entry = topic.length === 1 ? findError(only) : undefined;
  if (entry !== undefined) return errorExplanation(entry);
  const { suggest } = await import('@mmm/host');
  const [unknown = ''] = found.rest;
  const names = found.command.commands.map((command) => command.name());
  const near = suggest(unknown, found.words.length > 0 ? names : [...names, ...allErrors().map(({ name }) => name)]);
  const hint =
    near === undefined ? 'Run mmm help for the list.' : `Did you mean: ${['mmm help', ...found.words, near].join(' ')}`;
  throw new MmmError('USAGE', `"${topic.join(' ')}" is neither a command nor an error of mmm. ${hint}`, {
    argument: unknown,
  });
}

/** `E0112`, `112`, `0112` or `CAPABILITY_NOT_FOUND`, in any case. */
function findError(word: string): ReturnType<typeof allErrors>[number] | undefined {
  const wanted = word.toUpperCase().replaceAll('-', '_');
  const number = /^E?\d{1,4}$/.test(wanted) ? `E${wanted.replace('E', '').padStart(4, '0')}` : undefined;
  return allErrors().find((entry) => entry.number === number || entry.name === wanted);
}

function errorExplanation({ number, name, title, why, fix, exitCode }: ReturnType<typeof allErrors>[number]) {
  return {
    document: { code: number, name, title, why, fix, exitCode },
    text: `${number} ${name}: ${title}\n\nWhy: ${why}\n\nWhat to do: ${fix}\n\nExit code: ${exitCode}`,
  };
}

function commandDocument({ words, command }: NamedCommand): Record<string, unknown> {
  return {
    command: ['mmm', ...words].join(' '),
    aliases: command.aliases(),
    description: command.description(),
    usage: ['mmm', ...words, command.usage()].join(' '),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      description: argument.description,
      required: argument.required,
      variadic: argument.variadic,
    })),
    options: command.options.map((option) => ({
      flags: option.flags,
      description: option.description,
      default: option.defaultValue ?? null,
    })),
    commands: command.commands.map((child) => child.name()),
  };
}

/** The help with what is added to its end, which commander only writes. */
function wholeHelp(command: Command): string {
  let text = '';
  const { writeOut } = command.configureOutput();
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  command.configureOutput({ ...(writeOut === undefined ? {} : { writeOut }) });
  return text;
}

function allErrors(): ({ name: string } & (typeof errorHelp)[ErrorCode])[] {
  return (Object.keys(errorHelp) as ErrorCode[]).map((name) => ({ name, ...errorHelp[name] }));
}
