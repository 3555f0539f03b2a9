import { hostVersion } from '@mmm/protocol';
import { Command, CommanderError } from 'commander';
import { globalsLast, usageError, usageLine } from './command-tree.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addBackupCommands } from './commands/backup.ts';
import { addDaemonCommands } from './commands/daemon.ts';
import { addEventCommands } from './commands/events.ts';
import { addKeyCommands } from './commands/key.ts';
import { addMappingCommands } from './commands/mapping.ts';
import { addPluginCommands } from './commands/plugin.ts';
import { addStateCommands } from './commands/state.ts';
import { addSystemCommands } from './commands/system.ts';
import type { Io } from './io.ts';
import { exitCodes, fail, type GlobalOptions, watchOutput } from './output.ts';

/** What a command does once its arguments are parsed. Returns the exit code. */
export type Action = (io: Io, options: GlobalOptions) => Promise<number>;

/** Collects the one action that the arguments select, so that running it is `run`'s business alone. */
export interface Registry {
  readonly io: Io;
  select(action: Action, options: GlobalOptions): void;
}

/**
 * The `mmm` command: parses the arguments, runs what they select, prints its result or its error, and returns the exit
 * code. Never throws. Commands import what they need when they run, so that `mmm --version` stays fast.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const output = watchOutput(io);
  return await output.finish(await runCommand(globalsLast(argv), io));
}

async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes('--json');
  let selected: { action: Action; options: GlobalOptions } | undefined;
  const registry: Registry = {
    io,
    select: (action, options) => {
      selected = { action, options };
    },
  };
  const program = buildProgram(registry);
  const usage = usageLine(program, argv);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return selected === undefined ? exitCodes.ok : await selected.action(io, selected.options);
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(io, { json }, error, usage);
    // Help and version are not errors although commander ends the parse with them.
    if (error.exitCode === 0) return exitCodes.ok;
    if (argv.length === 0) io.stdout.write(program.helpInformation());
    return fail(io, { json }, await usageError(program, argv, error), usage);
  }
}

function buildProgram(registry: Registry): Command {
  const program = new Command('mmm');
  program
    .description('Extends any program with plugins it need not trust.')
    .version(hostVersion, '-V, --version', 'print the version')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => registry.io.stdout.write(text),
      // Usage errors are printed once, by `fail`.
      writeErr: () => undefined,
    })
    .helpCommand(false);
  addPluginCommands(program, registry);
  addKeyCommands(program, registry);
  addAuditCommands(program, registry);
  addEventCommands(program, registry);
  addDaemonCommands(program, registry);
  addStateCommands(program, registry);
  addMappingCommands(program, registry);
  addBackupCommands(program, registry);
  addSystemCommands(program, registry);
  return program;
}

/** Adds the options every command has. Each leaf gets them, so that they may stand at the end of the line. */
export function withGlobals(command: Command): Command {
  return command
    .option('--json', 'print one JSON document')
    .option('--home <dir>', 'use this home folder instead of MMM_HOME or ~/.mmm')
    .option('--no-interactive', 'never ask; fail where a question would be needed');
}

/** Lines at the end of a command's help that show how it is called. */
export function withExamples(command: Command, lines: readonly string[], note?: string): Command {
  const text = lines.map((line) => `  ${line}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${text}${note === undefined ? '' : `\n\n${note}`}`);
}
