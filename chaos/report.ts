import { cpus, loadavg, release } from 'node:os';

/** Something this run was to show. */
export interface Promised {
  readonly promise: string;
  readonly kept: boolean;
  /** What was seen, in one line. */
  readonly seen: string;
  /** It is about time or memory, and a machine that is busy with something else can break it. */
  readonly isMeasured?: true;
}

/** A table with a heading: the first row names the columns. */
export interface Table {
  readonly title: string;
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface PartReport {
  readonly part: 1 | 2;
  /** What was set up and done, in one sentence. */
  readonly summary: string;
  readonly tables: readonly Table[];
  readonly promises: readonly Promised[];
  /** The first broken promises word for word. */
  readonly complaints: readonly string[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly load: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    kernel: release(),
    node: process.version,
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** The report for people: tables, then each promise with what was seen. */
export function reportText({ part, summary, tables, promises, complaints }: PartReport): string {
  return [
    `Part ${part}: ${summary}`,
    ...tables.map(({ title, rows }) => `\n${title}\n${columns(rows)}`),
    '',
    ...promises.map(({ promise, kept, seen }) => `${kept ? 'kept  ' : 'BROKEN'}  ${promise}: ${seen}`),
    ...complaints.map((words) => `        ${words}`),
    '',
  ].join('\n');
}

function columns(rows: Table['rows']): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, String(cell).length);
  }
  return rows
    .map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0)).join('  '))
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}

function pad(cell: string | number, width: number): string {
  return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width);
}
