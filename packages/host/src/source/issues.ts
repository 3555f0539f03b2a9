import type * as z from 'zod';
import { keysKnownAt } from '../schema/known-keys.ts';
import { describeValue, type PathPart, type Problem } from './problem.ts';
import { suggest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** Known keys are listed in a message up to this many. */
const keysListedMax = 12;

/** What problems of a file are told with. */
export interface Described {
  readonly schema: z.ZodType;
  /** The tables in which a key that stands in the wrong one is looked for. */
  readonly sections: readonly string[];
  /** What a value must be that fits none of several shapes. */
  readonly union: string;
}

const expectedNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a table',
  record: 'a table',
};

/**
 * Turns what the schema found into sentences that say what was expected and what stands there instead. A misspelled key
 * is one problem: that the right one is missing is not said again.
 */
export function describeIssues(issues: readonly Issue[], raw: unknown, described: Described): Problem[] {
  const meant = new Set<string>();
  const unknown = issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [];
    return issue.keys.map((key) =>
      unknownKey(described, pathOf(issue), key, (known) => meant.add(JSON.stringify(known))),
    );
  });
  const others = issues.flatMap((issue): Problem[] => {
    const path = pathOf(issue);
    if (issue.code === 'unrecognized_keys') return [];
    if (issue.code === 'invalid_key') {
      const why = issue.issues[0]?.message ?? 'must be another one';
      return [{ path, message: `is not a key that can stand here: it ${why}`, at: 'key' }];
    }
    const value = valueAt(raw, path);
    if (value === undefined && meant.has(JSON.stringify(path))) return [];
    return [{ path, message: sentence(issue, value, described), at: 'value' }];
  });
  return [...unknown, ...others];
}

function pathOf(issue: Issue): PathPart[] {
  return issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}

function sentence(issue: Issue, value: unknown, described: Described): string {
  // A rule of ours across several fields brings its own sentence.
  if (issue.code === 'custom') return issue.message;
  const wanted = requirement(issue, value, described);
  if (value === undefined) return `is missing: it ${wanted}`;
  const hasSize = typeof value === 'string' || Array.isArray(value);
  if (hasSize && (issue.code === 'too_small' || issue.code === 'too_big')) return wanted;
  return `${wanted}, found ${describeValue(value)}${hint(issue, value)}`;
}

function hint(issue: Issue, value: unknown): string {
  if (issue.code === 'invalid_type') {
    if (issue.expected === 'array' && typeof value === 'string') return '; put it in [brackets]';
    const bare = typeof value === 'number' || typeof value === 'boolean';
    return issue.expected === 'string' && bare ? '; put it in "quotes"' : '';
  }
  if (issue.code !== 'invalid_value' || typeof value !== 'string') return '';
  const meant = suggest(
    value,
    issue.values.filter((one) => typeof one === 'string'),
  );
  return meant === undefined ? '' : `; did you mean "${meant}"?`;
}

/** `must be …`, without what was found. */
function requirement(issue: Issue, value: unknown, described: Described): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${expectedNames[issue.expected] ?? issue.expected}`;
    case 'invalid_value': {
      const values = issue.values.map((one) => (typeof one === 'string' ? `"${one}"` : String(one)));
      return values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`;
    }
    case 'too_small':
    case 'too_big':
      return sizeRequirement(issue, value);
    case 'invalid_union': {
      const branch =
        typeof value === 'string' ? issue.errors.flat().find(({ code }) => code !== 'invalid_type') : undefined;
      return branch === undefined ? described.union : requirement(branch, value, described);
    }
    default:
      return issue.message;
  }
}

function sizeRequirement(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, value: unknown): string {
  const small = issue.code === 'too_small';
  const bound = small ? issue.minimum : issue.maximum;
  const unit = issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : '';
  if (unit === '') {
    const above = issue.inclusive === false ? 'more than' : 'at least';
    const below = issue.inclusive === false ? 'less than' : 'at most';
    return `must be ${small ? above : below} ${bound}`;
  }
  if (small && bound === 1) return 'must not be empty';
  const length = typeof value === 'string' || Array.isArray(value) ? ` (it has ${value.length})` : '';
  return `must have ${small ? 'at least' : 'at most'} ${bound}${unit}${length}`;
}

function unknownKey(
  described: Described,
  path: readonly PathPart[],
  key: string,
  onMeant: (path: PathPart[]) => void,
): Problem {
  const known = keysKnownAt(described.schema, path);
  const meant = suggest(key, known);
  const section = sectionOf(described, key, path);
  let advice = '';
  if (meant !== undefined) {
    advice = `; did you mean "${meant}"?`;
    onMeant([...path, meant]);
  } else if (section !== undefined) {
    advice = `; it belongs ${section}`;
  } else if (known.length > 0 && known.length <= keysListedMax) {
    advice = `; known here: ${known.join(', ')}`;
  }
  return { path: [...path, key], message: `is not a known key${advice}`, at: 'key' };
}

/** The usual slip in TOML is a key below the wrong header. */
function sectionOf({ schema, sections }: Described, key: string, path: readonly PathPart[]): string | undefined {
  if (path.length > 0 && keysKnownAt(schema, []).includes(key)) {
    return `at the top of the file, outside of every table`;
  }
  const section = sections.find((name) => name !== path[0] && keysKnownAt(schema, [name]).includes(key));
  return section === undefined ? undefined : `in [${section}]`;
}

export function valueAt(raw: unknown, path: readonly PathPart[]): unknown {
  let value = raw;
  for (const part of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PathPart, unknown>)[part];
  }
  return value;
}
