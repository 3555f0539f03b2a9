import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The program in C as a module: a bundle has no files beside it, and users compile it on their own machine. */
export function nativeSource(root: string): string {
  const text = readFileSync(join(root, 'packages/host/native/launch.c'), 'utf8');
  const lines = text
    .replaceAll(/^ *\/\*[\s\S]*?\*\/\n/gm, '')
    .split('\n')
    .filter((line) => line !== '');
  return [
    '// Generated from packages/host/native/launch.c by `npm run generate`.',
    '// biome-ignore format: one line here is one line there, comments left out.',
    'export const launchSource: string = [',
    ...lines.map((line) => `  ${quoted(line)},`),
    "  '',",
    "].join('\\n');",
    '',
  ].join('\n');
}

/** The shorter of the two quotes where one need not be escaped, as the formatter would have it. */
function quoted(line: string): string {
  const escaped = line.replaceAll('\\', '\\\\');
  const quote = line.includes("'") && !line.includes('"') ? '"' : "'";
  return quote + escaped.replaceAll(quote, `\\${quote}`) + quote;
}
