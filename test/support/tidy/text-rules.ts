import { lineAt, type SourceFile, type Violation } from './source-file.ts';

const linesMax = 400;
const columnsMax = 120;

/** Packages that are bundled into one CommonJS file, where a module has no address and cannot wait. */
const bundled = /^packages\/(?:host|bundle|cli|rpc|protocol|plugin-sdk)\/src\//;
const packages = /^packages\/[^/]+\/src\//;
const product = /^(?:packages\/[^/]+\/src|plugins\/[^/]+\/src|demo|scripts)\//;
const tests = /^test\/(?!fixtures\/|support\/)/;

interface Ban {
  readonly pattern: RegExp;
  /** Where the ban holds. */
  readonly within: RegExp;
  /** Where it does not, although it lies within. */
  readonly home?: RegExp;
  readonly message: string;
}

/** Looked for in the code alone: comments and strings may say what they like. */
const codeBans: readonly Ban[] = [
  {
    pattern: /\b(?:setTimeout|setInterval|setImmediate)\b|\bAbortSignal\s*\.\s*timeout\b/g,
    within: packages,
    home: /^packages\/rpc\/src\/clock\.ts$/,
    message: 'uses a timer: take the Clock that is passed in',
  },
  {
    pattern: /\b(?:setTimeout|setInterval)\b|\bAbortSignal\s*\.\s*timeout\b/g,
    within: tests,
    message: 'waits for a time: wait for a line or an exit, or use the fake clock',
  },
  {
    pattern: /\bDate\s*\.\s*now\b|\bperformance\s*\.\s*now\b|\bnew Date\(\s*\)|\bprocess\s*\.\s*hrtime\b/g,
    within: packages,
    home: /^packages\/rpc\/src\/clock\.ts$/,
    message: 'reads the time: take the Clock that is passed in',
  },
  {
    pattern: /\bprocess\s*\.\s*env\b/g,
    within: packages,
    home: /^packages\/(?:cli\/src\/|host\/src\/sandbox\/environment\.ts$|plugin-sdk\/src\/run-plugin\.ts$)/,
    message: 'reads process.env: only the command line, sandbox/environment.ts and run-plugin.ts do',
  },
  { pattern: /\bimport\s*\.\s*meta\b/g, within: bundled, message: 'uses import.meta: a CommonJS bundle has none' },
  {
    pattern: /(?::|\bas\b|<|,|\||&|=)\s*any\b(?!\s*[:(.])/g,
    within: /\.ts$/,
    message: 'says any: unknown, a generic or the real type will do',
  },
  { pattern: /\bexport\s*\*/g, within: /\.ts$/, message: 'exports everything: list the names' },
  { pattern: /\bexport\s+default\b/g, within: /\.ts$/, message: 'has a default export: give it a name' },
  {
    pattern: /\b(?:extends|new)\s+EventEmitter\b/g,
    within: product,
    message: 'makes an EventEmitter: pass a function, or an async iterable',
  },
  { pattern: /\.only\s*\(/g, within: /^test\//, message: 'runs only one test: remove .only' },
];

/** Looked for in the whole text, comments included. */
const textBans: readonly Ban[] = [
  {
    pattern: /^import\s+(?:type\s+)?(?:\{[^}]*\}|\w+)\s+from\s+['"]zod['"]/gm,
    within: product,
    message: 'imports names of zod: `import * as z` is what bundles small',
  },
  { pattern: /@ts-(?:ignore|nocheck|expect-error)/g, within: product, message: 'silences the compiler' },
  {
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g,
    within: product,
    message: 'leaves something to be done: do it or say why',
  },
];

const modules: readonly { readonly name: RegExp; readonly home: RegExp; readonly message: string }[] = [
  {
    name: /^execa$/,
    home: /^packages\/(?:host\/src\/spawn\/|cli\/src\/toolchain)/,
    message: 'imports execa: only packages/host/src/spawn and the toolchain runner start programs',
  },
  {
    name: /^vscode-jsonrpc(?:\/|$)/,
    home: /^packages\/rpc\/src\//,
    message: 'imports vscode-jsonrpc: only packages/rpc knows it',
  },
  {
    name: /^(?:node:)?timers\/promises$/,
    home: /^packages\/rpc\/src\/clock\.ts$/,
    message: 'imports timers/promises: take the Clock that is passed in',
  },
];

export function textViolations(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) => [
    ...sizes(file),
    ...codeBans.flatMap((ban) => banned(file, file.code, ban)),
    ...textBans.flatMap((ban) => banned(file, file.text, ban)),
    ...moduleHomes(file),
    ...names(file),
    ...barrels(file),
    ...topLevelAwait(file),
  ]);
}

function sizes({ path, text }: SourceFile): Violation[] {
  const lines = text.split('\n');
  const count = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  const long = lines.flatMap((line, index) => {
    const columns = [...line].length;
    const message = `has ${columns} columns; ${columnsMax} fit`;
    return columns > columnsMax ? [{ path, line: index + 1, message }] : [];
  });
  if (count <= linesMax) return long;
  return [{ path, line: linesMax, message: `has ${count} lines; at ${linesMax} a file is two ideas` }, ...long];
}

function banned({ path }: SourceFile, text: string, { pattern, within, home, message }: Ban): Violation[] {
  if (!within.test(path) || home?.test(path) === true) return [];
  return [...text.matchAll(pattern)].map(({ index }) => ({ path, line: lineAt(text, index), message }));
}

function moduleHomes({ path, imports }: SourceFile): Violation[] {
  if (!product.test(path) && !packages.test(path)) return [];
  return imports.flatMap(({ specifier, line }) => {
    const rules = modules.filter(({ name, home }) => name.test(specifier) && !home.test(path));
    return rules.map(({ message }) => ({ path, line, message }));
  });
}

function names({ path }: SourceFile): Violation[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const stem = name.slice(0, name.indexOf('.'));
  if (/^(?:utils?|helpers?|common|manager|core|misc)$/.test(stem)) {
    return [{ path, line: 1, message: `is called ${stem}: name it after what it does` }];
  }
  const isKebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(stem);
  if (isKebab || !/\.(?:ts|mjs|cjs)$/.test(name)) return [];
  return [{ path, line: 1, message: 'has a name that is not kebab-case' }];
}

/** A file that re-exports hides where things are; only the door of a package does it. */
function barrels({ path, imports }: SourceFile): Violation[] {
  if (!product.test(path) || /^packages\/[^/]+\/src\/(?:index|testing)\.ts$/.test(path)) return [];
  const reexports = imports.filter(({ isExport }) => isExport);
  return reexports.map(({ line }) => ({ path, line, message: 'exports from another file: only index.ts does' }));
}

/** An await outside of every brace of a file: a CommonJS bundle cannot have it. */
function topLevelAwait({ path, code }: SourceFile): Violation[] {
  if (!bundled.test(path)) return [];
  let depth = 0;
  for (const match of code.matchAll(/[{}()]|\bawait\b|\basync\b[^;]*?=>\s*await\b/g)) {
    if (match[0] === '{' || match[0] === '(') depth += 1;
    else if (match[0] === '}' || match[0] === ')') depth -= 1;
    else if (match[0] === 'await' && depth === 0) {
      return [{ path, line: lineAt(code, match.index), message: 'awaits at top level: a CommonJS bundle cannot' }];
    }
  }
  return [];
}
