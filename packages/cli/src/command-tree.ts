import { MmmError } from '@mmm/protocol';
import type { Command, CommanderError } from 'commander';

/** A command with the words that call it, without `mmm`. */
export interface NamedCommand {
  readonly words: readonly string[];
  readonly command: Command;
}

/** Follows words down the tree as far as they name commands. `rest` is what names none. */
export function followWords(program: Command, words: readonly string[]): NamedCommand & { rest: readonly string[] } {
  let command = program;
  const found: string[] = [];
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word || child.aliases().includes(word));
    if (next === undefined) break;
    found.push(next.name());
    command = next;
  }
  return { words: found, command, rest: words.slice(found.length) };
}

/** Every command below `program`, groups included. */
export function allCommands(program: Command, words: readonly string[] = []): readonly NamedCommand[] {
  return program.commands.flatMap((command) => {
    const own = [...words, command.name()];
    return [{ words: own, command }, ...allCommands(command, own)];
  });
}

/** `mmm plugin exec [options] <plugin> <capability>`: of the command that the arguments select. */
export function usageLine(program: Command, argv: readonly string[]): string {
  const { words, command } = followWords(program, operands(argv));
  return ['mmm', ...words, command.usage()].join(' ');
}

/** What commander refused, in our words. */
export async function usageError(program: Command, argv: readonly string[], error: CommanderError): Promise<MmmError> {
  const { words, command, rest } = followWords(program, operands(argv));
  const message = sentence(error.message.replace(/^error: /, ''));
  // A group, not a command: what went wrong is the word after it, if there is one.
  if (command.commands.length === 0) return new MmmError('USAGE', message, { argument: error.code });
  const [word] = rest;
  const place = ['mmm', ...words].join(' ');
  if (word === undefined) {
    const choices = command.commands.map((child) => child.name()).join(', ');
    return new MmmError('USAGE', `No command was given. After "${place}" comes one of: ${choices}.`, { argument: '' });
  }
  const near = await nearestCommand(program, command, words, word);
  const hint = near === undefined ? '' : ` Did you mean: ${near}`;
  return new MmmError('USAGE', `There is no command "${place} ${word}".${hint}`, { argument: word });
}

/** The whole command that was probably meant: of the same group before all others. */
async function nearestCommand(
  program: Command,
  group: Command,
  words: readonly string[],
  word: string,
): Promise<string | undefined> {
  const { suggest } = await import('@mmm/host');
  const own = group.commands.map((command) => ({ words: [...words, command.name()], command }));
  for (const choices of [own, allCommands(program)]) {
    const byName = new Map(
      [...choices].reverse().flatMap(({ words: path, command }) => {
        return [command.name(), ...command.aliases()].map((name) => [name, path] as const);
      }),
    );
    const found = byName.has(word) ? word : suggest(word, [...byName.keys()]);
    const path = found === undefined ? undefined : byName.get(found);
    if (path !== undefined) return ['mmm', ...path].join(' ');
  }
  return undefined;
}

/** Options that every command has may also stand before it: they are moved behind it, where they are declared. */
export function globalsLast(argv: readonly string[]): readonly string[] {
  let count = 0;
  for (let word = argv[0]; word !== undefined; word = argv[count]) {
    if (word === '--home') count += 2;
    else if (word === '--json' || word === '--no-interactive' || word.startsWith('--home=')) count += 1;
    else break;
  }
  const [globals, rest] = [argv.slice(0, count), argv.slice(count)];
  const end = rest.indexOf('--');
  return end < 0 ? [...rest, ...globals] : [...rest.slice(0, end), ...globals, ...rest.slice(end)];
}

function operands(argv: readonly string[]): readonly string[] {
  return argv.filter((word) => !word.startsWith('-'));
}

function sentence(text: string): string {
  const [first = '', ...rest] = text.split('\n');
  const capital = first.charAt(0).toUpperCase() + first.slice(1);
  return [/[.?)]$/.test(capital) ? capital : `${capital}.`, ...rest].join(' ');
}
