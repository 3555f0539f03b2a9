import { printableJson, safeText } from '@mmm/host/display';
import { errorHelp, exitCodes, MmmError } from '@mmm/protocol';
import type { Io } from './io.ts';
import { snakeCased } from './snake-case.ts';

/** Options every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly home?: string;
  readonly interactive?: boolean;
}

/** Prints one JSON document, or the text for people. Exactly one document ever goes to stdout with `--json`. */
export function print(io: Io, options: GlobalOptions, document: unknown, text: string): void {
  if (options.json === true) io.stdout.write(`${printableJson(JSON.stringify(snakeCased(document)))}\n`);
  else if (text !== '') io.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** A line for people that is no result: progress, hints. Never on stdout. */
export function note(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}

/** Colours are for terminals that want them: not with NO_COLOR, not into a pipe. */
export function styler(
  io: Io,
  stream: 'stdout' | 'stderr' = 'stdout',
): (style: 'bold' | 'red' | 'green' | 'yellow' | 'dim', text: string) => string {
  const codes = { bold: [1, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], dim: [2, 22] } as const;
  const on = io[stream].isTTY === true && (io.env.NO_COLOR ?? '') === '';
  return (style, text) => (on ? `\u001B[${codes[style][0]}m${text}\u001B[${codes[style][1]}m` : text);
}

/** Columns padded to their widest cell. Cells must be display-safe. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Prints an error as the contract says and returns the exit code. Anything unknown is a bug of ours and says so.
 * `usage` is the usage line of the command that failed.
 */
export function fail(io: Io, options: GlobalOptions, thrown: unknown, usage: string): number {
  const error = asMmmError(io, thrown);
  const help = errorHelp[error.code];
  if (options.json === true) {
    const { code, message, data } = error;
    print(io, options, { error: { code: help.number, name: code, message, data } }, '');
    return help.exitCode;
  }
  const style = styler(io, 'stderr');
  const title = style('bold', style('red', `error[${help.number}]`));
  const steps = nextSteps(error, usage);
  note(io, [`${title}: ${shown(error.message)}`, ...steps.map((step) => `  ${step}`)].join('\n'));
  return help.exitCode;
}

/** Whoever wrote the words in it, be it a plugin or the command line: only its line ends are ends of lines. */
function shown(message: string): string {
  return message
    .split('\n')
    .map((line) => safeText(line, Number.POSITIVE_INFINITY))
    .join('\n');
}

/** A message that names the next step itself is not followed by the general one. */
const namesStep = /\bmmm (?:plugin|key|doctor|help)\b|\b(?:Run|Pass|Choose|Use)\b|Did you mean|--[a-z]/;

function nextSteps(error: MmmError, usage: string): readonly string[] {
  const { number, fix } = errorHelp[error.code];
  if (error.code === 'USAGE') return [`Usage: ${usage}`, `More: ${usage.replace(/ [[<].*$/, '')} --help`];
  const more = `More: mmm help ${number}`;
  if (error.code !== 'INTERNAL' && namesStep.test(error.message)) return [more];
  const { plugin } = error.data as { readonly plugin?: unknown };
  const named = typeof plugin === 'string' && /^[a-z0-9_/-]+$/.test(plugin) ? plugin : '<plugin>';
  return [fix.replaceAll('<plugin>', named), more];
}

function asMmmError(io: Io, thrown: unknown): MmmError {
  if (thrown instanceof MmmError) return thrown;
  if (io.interrupted.aborted) {
    return new MmmError('CALL_CANCELLED', 'Cancelled.', { plugin: '', method: '' });
  }
  const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return new MmmError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown), { detail });
}

/**
 * Notices when the output cannot be written: a full disk makes every command fail. A closed pipe (`mmm … | head`) is
 * the reader's choice, not an error.
 */
export function watchOutput(io: Io): { finish(code: number): Promise<number> } {
  let failure: Error | undefined;
  const notice = (error: NodeJS.ErrnoException | null | undefined): void => {
    if (error != null && error.code !== 'EPIPE') failure ??= error;
  };
  io.stdout.on('error', notice);
  return {
    async finish(code) {
      notice(io.stdout.errored);
      // Called back when everything before it was written, or could not be.
      if (io.stdout.errored == null && !io.stdout.destroyed) {
        await new Promise<void>((resolve) => {
          io.stdout.write('', (error) => {
            notice(error);
            resolve();
          });
        });
      }
      if (failure === undefined) return code;
      note(io, `The output could not be written: ${failure.message}`);
      return code === exitCodes.ok ? exitCodes.failed : code;
    },
  };
}

export { exitCodes };
