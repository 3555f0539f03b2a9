import { safeText } from './safe-text.ts';

/** Columns shown before and after the place. Together with the margin they fit a terminal of 120. */
const beforeMax = 50;
const afterMax = 60;
/** Scripts and symbols that terminals draw two columns wide. */
const wide = new RegExp(
  '^[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f' +
    '\\uff01-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]$',
  'u',
);
const mark = /^\p{M}$/u;

/**
 * The named line of a text with a caret under the named column (both from 1; a column is a UTF-16 unit, as editors
 * count). Long lines are cut around the caret; what a terminal must not see is escaped and the caret stays in place.
 *
 *     12 | comand = ["node"]
 *        | ^
 */
export function excerpt(text: string, line: number, column: number): string {
  const source = (text.split('\n', line)[line - 1] ?? '').replace(/\r$/, '').replaceAll('\t', ' ');
  const at = Math.min(Math.max(column - 1, 0), source.length);
  const from = Math.max(0, at - beforeMax);
  const before = (from > 0 ? '…' : '') + safeText(source.slice(from, at), Number.POSITIVE_INFINITY);
  const after = safeText(source.slice(at), afterMax);
  const margin = String(line).padStart(4);
  const shown = `${margin} | ${before}${after}`.trimEnd();
  return `${shown}\n${' '.repeat(margin.length)} | ${' '.repeat(width(before))}^`;
}

function width(text: string): number {
  let columns = 0;
  for (const character of text) columns += mark.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return columns;
}
