/** One source file as the tidy rules see it. */
export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the contents of strings blanked out; every other character stays where it was. */
  readonly code: string;
  readonly imports: readonly ImportStatement[];
}

export interface ImportStatement {
  readonly specifier: string;
  readonly line: number;
  /** `import type` or `export type`: gone at run time. */
  readonly isType: boolean;
  readonly isExport: boolean;
}

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export function sourceFile(path: string, text: string): SourceFile {
  const code = /\.(ts|mjs|cjs|js)$/.test(path) ? blankOut(text) : text;
  return { path, text, code, imports: findImports(text, code) };
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

function findImports(text: string, code: string): ImportStatement[] {
  const found: ImportStatement[] = [];
  const statement = /\b(import|export)\b(\s+type\b(?!\s*,))?[\w\s{},*$]*?\bfrom\s*(?=['"])|\bimport\s*\(?\s*(?=['"])/g;
  for (const match of code.matchAll(statement)) {
    const start = match.index + match[0].length;
    const quote = text[start] ?? "'";
    const specifier = text.slice(start + 1, text.indexOf(quote, start + 1));
    found.push({
      specifier,
      line: lineAt(text, match.index),
      isType: match[2] !== undefined,
      isExport: match[1] === 'export',
    });
  }
  return found;
}

/** Where a slash starts a regular expression and not a division: after an operator or one of these words. */
const beforeRegex = /(?:^|[([{,;=:!&|?+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|delete|await))$/;

/** A scanner, not a parser: it knows comments, strings, templates and regular expressions, and nothing else. */
export function blankOut(text: string): string {
  let out = '';
  let at = 0;
  const templateDepths: number[] = [];
  let depth = 0;
  const blank = (end: number) => {
    out += text.slice(at, end).replace(/[^\n]/g, ' ');
    at = end;
  };
  const keep = (length: number) => {
    out += text.slice(at, at + length);
    at += length;
  };
  const template = () => {
    const end = endOfTemplatePart(text, at);
    blank(end);
    if (text[at] === '`') return keep(1);
    templateDepths.push(depth);
    depth += 1;
    keep(2);
  };
  while (at < text.length) {
    const character = text[at] ?? '';
    const pair = text.slice(at, at + 2);
    if (pair === '//') blank(orEnd(text.indexOf('\n', at), text));
    else if (pair === '/*') blank(orEnd(text.indexOf('*/', at + 2) + 2, text));
    else if (character === "'" || character === '"') {
      keep(1);
      blank(endOfQuoted(text, at, character));
      keep(1);
    } else if (character === '`') {
      keep(1);
      template();
    } else if (character === '}' && templateDepths.at(-1) === depth - 1) {
      templateDepths.pop();
      depth -= 1;
      keep(1);
      template();
    } else if (character === '/' && beforeRegex.test(out.slice(-40).trimEnd())) {
      keep(1);
      blank(endOfRegex(text, at));
      keep(1);
    } else {
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      keep(1);
    }
  }
  return out;
}

function orEnd(index: number, text: string): number {
  return index <= 1 ? text.length : index;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function endOfTemplatePart(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

function endOfRegex(text: string, from: number): number {
  let at = from;
  let inClass = false;
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true;
    if (text[at] === ']') inClass = false;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}
