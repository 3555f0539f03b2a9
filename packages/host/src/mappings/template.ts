import { valueAt } from '../source/issues.ts';
import type { PathPart } from '../source/problem.ts';

/** What placeholders stand for: the event that came and the circumstances in which the action runs. */
export interface TemplateValues {
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly data: unknown;
    readonly timestamp: string;
    readonly source: string;
  };
  readonly mapping: string;
  readonly mode: { readonly index: number; readonly name: string } | null;
  readonly velocity: number | null;
}

/** One `{{path}}`: where the value is found, and whether it may be missing. */
interface Placeholder {
  readonly path: readonly PathPart[];
  readonly optional: boolean;
  readonly written: string;
}

/** Params whose texts were read once: what is text stays as it is, what is not is looked up at each event. */
export type Template =
  | { readonly kind: 'plain'; readonly value: unknown }
  /** The whole text is one placeholder: the value itself, of whatever type. */
  | { readonly kind: 'value'; readonly placeholder: Placeholder }
  | { readonly kind: 'text'; readonly parts: readonly (string | Placeholder)[] }
  | { readonly kind: 'list'; readonly items: readonly Template[] }
  | { readonly kind: 'table'; readonly entries: readonly (readonly [string, Template])[] };

/** A text of the file that is no template, and why. */
export interface TemplateProblem {
  readonly path: readonly PathPart[];
  readonly message: string;
}

/** Why a template has no value for one event. Not to be tried again: the event will not change. */
export class TemplateFailed extends Error {
  override readonly name = 'TemplateFailed';
}

const roots: Readonly<Record<keyof TemplateValues, readonly string[] | undefined>> = {
  event: ['id', 'type', 'data', 'timestamp', 'source'],
  mapping: undefined,
  mode: ['index', 'name'],
  velocity: undefined,
};

/** `\{{` is a pair of braces as such. Braces within a placeholder end it. */
const token = /(?<escaped>\\\{\{)|\{\{(?<inner>[^{}]*)\}\}|(?<open>\{\{)/g;
const pathShape = /^\s*([A-Za-z_]\w*(?:\.[\w-]+|\[\d{1,9}\])*)(\?)?\s*$/;
const partShape = /\.([\w-]+)|\[(\d+)\]|^(\w+)/g;

/** Reads what may hold templates: any JSON. What is wrong with it is added to `problems`. */
export function readTemplate(value: unknown, problems: TemplateProblem[], path: readonly PathPart[] = []): Template {
  if (typeof value === 'string') return readText(value, problems, path);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => readTemplate(item, problems, [...path, index]));
    return items.every(isPlain) ? { kind: 'plain', value: items.map((item) => item.value) } : { kind: 'list', items };
  }
  if (typeof value !== 'object' || value === null) return { kind: 'plain', value };
  const entries = Object.entries(value).map(([key, item]): [string, Template] => [
    key,
    readTemplate(item, problems, [...path, key]),
  ]);
  return entries.every(([, item]) => isPlain(item)) ? { kind: 'plain', value: plainTable(entries) } : table(entries);
}

function isPlain(template: Template): template is Extract<Template, { kind: 'plain' }> {
  return template.kind === 'plain';
}

function table(entries: readonly (readonly [string, Template])[]): Template {
  return { kind: 'table', entries };
}

/** Texts with `\{{` are plain as well, without the backslash. */
function plainTable(entries: readonly (readonly [string, Template])[]): unknown {
  return Object.fromEntries(entries.map(([key, item]) => [key, isPlain(item) ? item.value : undefined]));
}

function readText(text: string, problems: TemplateProblem[], path: readonly PathPart[]): Template {
  if (!text.includes('{{')) return { kind: 'plain', value: text };
  const parts: (string | Placeholder)[] = [];
  let end = 0;
  for (const match of text.matchAll(token)) {
    const { escaped, inner, open } = match.groups ?? {};
    parts.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (escaped !== undefined) {
      parts.push('{{');
    } else if (open !== undefined) {
      problems.push({
        path,
        message: 'has a "{{" without a path and "}}" after it; write \\{{ for the braces as such',
      });
      parts.push(open);
    } else {
      const read = readPlaceholder(inner ?? '');
      if ('problem' in read) problems.push({ path, message: read.problem });
      else parts.push(read);
    }
  }
  parts.push(text.slice(end));
  const [before, only, after] = parts;
  if (parts.length === 3 && before === '' && after === '' && typeof only === 'object') {
    return { kind: 'value', placeholder: only };
  }
  if (parts.every((part) => typeof part === 'string')) return { kind: 'plain', value: parts.join('') };
  return { kind: 'text', parts: parts.filter((part) => part !== '') };
}

function readPlaceholder(inner: string): Placeholder | { readonly problem: string } {
  const written = inner.trim();
  const [, dotted, mark] = pathShape.exec(inner) ?? [];
  if (dotted === undefined) {
    return { problem: `has {{${written}}}, which is no path such as {{event.data.name}}` };
  }
  const path = [...dotted.matchAll(partShape)].map(([, name, index, first]): PathPart => {
    return index === undefined ? (name ?? first ?? '') : Number(index);
  });
  const [root = '', below] = path;
  const known = Object.hasOwn(roots, root) ? roots[root as keyof TemplateValues] : null;
  if (known === null) return { problem: `has {{${written}}}: a path begins with ${Object.keys(roots).join(', ')}` };
  const isKnown = known === undefined ? path.length === 1 : below === undefined || known.includes(String(below));
  if (!isKnown || (root === 'event' && below === undefined)) {
    const all = known === undefined ? `${root} alone` : known.map((name) => `${root}.${name}`).join(', ');
    return { problem: `has {{${written}}}: there is ${all}` };
  }
  return { path, optional: mark !== undefined, written };
}

/** Left out of its table or list. */
const nothing = Symbol('nothing');

/**
 * The params for one event. Throws TemplateFailed when the event lacks what a placeholder names, or when what comes of
 * it has more than `charsMax` characters.
 */
export function expandTemplate(template: Template, values: TemplateValues, charsMax: number): unknown {
  const left = { chars: charsMax };
  const value = expand(template, values, left);
  return value === nothing ? null : value;
}

function expand(template: Template, values: TemplateValues, left: { chars: number }): unknown {
  switch (template.kind) {
    case 'plain':
      return template.value;
    case 'value': {
      const found = lookUp(template.placeholder, values);
      if (found !== nothing) spend(left, typeof found === 'string' ? found : (JSON.stringify(found) ?? ''));
      return found;
    }
    case 'text':
      return template.parts.map((part) => (typeof part === 'string' ? part : inText(part, values, left))).join('');
    case 'list':
      return template.items.map((item) => expand(item, values, left)).filter((item) => item !== nothing);
    case 'table':
      return Object.fromEntries(
        template.entries
          .map(([key, item]) => [key, expand(item, values, left)] as const)
          .filter(([, item]) => item !== nothing),
      );
  }
}

/** Within a text null and what may be missing are empty, and what is no text is JSON. */
function inText(placeholder: Placeholder, values: TemplateValues, left: { chars: number }): string {
  const found = lookUp(placeholder, values);
  const text =
    found === nothing || found === null ? '' : typeof found === 'string' ? found : (JSON.stringify(found) ?? '');
  spend(left, text);
  return text;
}

function lookUp({ path, optional, written }: Placeholder, values: TemplateValues): unknown {
  const found = valueAt(values, path);
  if (found !== undefined) return found;
  if (optional) return nothing;
  throw new TemplateFailed(`the event has no ${written}; {{${written}?}} would leave it out`);
}

function spend(left: { chars: number }, text: string): void {
  left.chars -= text.length;
  if (left.chars < 0) throw new TemplateFailed('what the placeholders stand for is too large');
}

/** Where params hold placeholders: there no schema can be asked before an event came. */
export function placeholderPaths(template: Template, path: readonly PathPart[] = []): PathPart[][] {
  switch (template.kind) {
    case 'plain':
      return [];
    case 'value':
    case 'text':
      return [[...path]];
    case 'list':
      return template.items.flatMap((item, index) => placeholderPaths(item, [...path, index]));
    case 'table':
      return template.entries.flatMap(([key, item]) => placeholderPaths(item, [...path, key]));
  }
}
