import { hostVersion, MmmError } from '@mmm/protocol';
import { Command, CommanderError } from 'commander';
import { addKeyCommands } from './commands/key.ts';
import { addPluginCommands } from './commands/plugin.ts';
import { addSystemCommands } from './commands/system.ts';
import type { Io } from './io.ts';
import { exitCodes, fail, type GlobalOptions } from './output.ts';

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
  const json = argv.includes('--json');
  let selected: { action: Action; options: GlobalOptions } | undefined;
  const registry: Registry = {
    io,
    select: (action, options) => {
      selected = { action, options };
    },
  };
  try {
    await buildProgram(registry, json).parseAsync([...argv], { from: 'user' });
    return selected === undefined ? exitCodes.ok : await selected.action(io, selected.options);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are not errors although commander ends the parse with them.
      if (error.exitCode === 0) return exitCodes.ok;
      const message = error.message.replace(/^error: /, '');
      return fail(io, { json }, new MmmError('USAGE', sentence(message), { argument: error.code }));
    }
    return fail(io, { json }, error);
  }
}

function buildProgram(registry: Registry, json: boolean): Command {
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
  addSystemCommands(program, registry);
  program.action(() => {
    if (!json) program.outputHelp();
    throw new CommanderError(exitCodes.usage, 'mmm.no_command', 'No command was given.');
  });
  return program;
}

function sentence(text: string): string {
  const [first = '', ...rest] = text.split('\n');
  const capital = first.charAt(0).toUpperCase() + first.slice(1);
  return [/[.?)]$/.test(capital) ? capital : `${capital}.`, ...rest].join(' ');
}

/** Adds the options every command has. Each leaf gets them, so that they may stand at the end of the line. */
export function withGlobals(command: Command): Command {
  return command
    .option('--json', 'print one JSON document')
    .option('--home <dir>', 'use this home folder instead of MMM_HOME or ~/.mmm')
    .option('--no-interactive', 'never ask; fail where a question would be needed');
}
