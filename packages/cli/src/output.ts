import { errorHelp, exitCodes, MmmError } from '@mmm/protocol';
import type { Io } from './io.ts';

/** Options every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly home?: string;
  readonly interactive?: boolean;
}

/** Prints one JSON document, or the text for people. Exactly one document ever goes to stdout with `--json`. */
export function print(io: Io, options: GlobalOptions, document: unknown, text: string): void {
  if (options.json === true) io.stdout.write(`${JSON.stringify(document)}\n`);
  else if (text !== '') io.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** A line for people that is no result: progress, hints. Never on stdout. */
export function note(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}

/** Colours are for terminals that want them: not with NO_COLOR, not into a pipe. */
export function styler(io: Io): (style: 'bold' | 'red' | 'green' | 'yellow' | 'dim', text: string) => string {
  const codes = { bold: [1, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], dim: [2, 22] } as const;
  const on = io.stdout.isTTY === true && (io.env.NO_COLOR ?? '') === '';
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

/** Prints an error as the contract says and returns the exit code. Anything unknown is a bug of ours and says so. */
export function fail(io: Io, options: GlobalOptions, thrown: unknown): number {
  const error = asMmmError(io, thrown);
  const help = errorHelp[error.code];
  if (options.json === true) {
    const document = { error: { code: help.number, name: error.code, message: error.message, data: error.data } };
    io.stdout.write(`${JSON.stringify(document)}\n`);
    return help.exitCode;
  }
  io.stderr.write(`error[${help.number}]: ${error.message}\n  ${help.fix}\n  More: mmm help ${help.number}\n`);
  return help.exitCode;
}

function asMmmError(io: Io, thrown: unknown): MmmError {
  if (thrown instanceof MmmError) return thrown;
  if (io.interrupted.aborted) {
    return new MmmError('CALL_CANCELLED', 'Cancelled.', { plugin: '', method: '' });
  }
  const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return new MmmError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown), { detail });
}

export { exitCodes };
