import type * as z from 'zod';
import type { FieldIssue } from './errors.ts';

type Issue = z.core.$ZodIssue;

/** Most issues that are told of one value; a wrong array of a million elements has a million. */
const issuesMax = 20;

/** What a schema found wrong with a value, as fields and sentences that go on after the field's name. */
export function fieldIssues(error: { readonly issues: readonly Issue[] }, value: unknown): FieldIssue[] {
  return error.issues
    .slice(0, issuesMax)
    .map((issue) => ({ path: issue.path.map(String).join('.'), message: issueMessage(issue, value) }));
}

/**
 * `is required`, `must be string`, `must be one of "a", "b"`: what must hold of the value at the issue's path, in words
 * that do not depend on the library that checks.
 */
export function issueMessage(issue: Issue, value: unknown): string {
  if (issue.code === 'custom') return issue.message === 'Invalid input' ? 'is not valid' : issue.message;
  const found = valueAt(value, issue.path);
  if (found === undefined && issue.code !== 'unrecognized_keys' && issue.code !== 'invalid_key') return 'is required';
  return requirement(issue, value);
}

function requirement(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return oneOf(issue.values.map((one) => JSON.stringify(one) ?? String(one)));
    case 'unrecognized_keys':
      return `has unknown fields: ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
    case 'too_small':
    case 'too_big':
      return sizeRequirement(issue);
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_union':
      return unionRequirement(issue, value);
    case 'invalid_key':
    case 'invalid_element': {
      const [inner] = issue.issues;
      return inner === undefined ? 'is not valid' : `has an entry that ${requirement(inner, undefined)}`;
    }
    case 'invalid_format':
      return formatRequirement(issue);
    case 'custom':
      return issue.message;
  }
}

/** The names of JSON, where those of the checking library differ. */
const typeNames: Readonly<Record<string, string>> = {
  record: 'object',
  int: 'integer',
  // What is refused is a wrong value or a missing one; a missing one was told before.
  nonoptional: 'given',
};

function sizeRequirement(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === 'too_small';
  const bound = small ? issue.minimum : issue.maximum;
  if (issue.origin === 'string' || issue.origin === 'array') {
    if (small && bound === 1) return 'must not be empty';
    const unit = issue.origin === 'string' ? 'characters' : 'entries';
    return `must have ${small ? 'at least' : 'at most'} ${bound} ${unit}`;
  }
  const words = issue.inclusive === false ? ['more than', 'less than'] : ['at least', 'at most'];
  return `must be ${words[small ? 0 : 1]} ${bound}`;
}

/** The one alternative that takes this kind of value says what it misses; else all of them say what they take. */
function unionRequirement(issue: z.core.$ZodIssueInvalidUnion, value: unknown): string {
  const branches = issue.errors.map((issues) => issues[0]).filter((first) => first !== undefined);
  const near = branches.find(({ code, path }) => code !== 'invalid_type' || path.length > 0);
  if (near !== undefined) {
    const inner = { ...near, path: [...issue.path, ...near.path] } as Issue;
    const where = near.path.length === 0 ? '' : `has a field "${near.path.map(String).join('.')}" that `;
    return where + issueMessage(inner, value);
  }
  const wanted = [...new Set(branches.map((branch) => requirement(branch, value).replace(/^must be /, '')))];
  return wanted.length === 0 ? 'is not valid' : `must be ${wanted.join(' or ')}`;
}

function formatRequirement(issue: z.core.$ZodIssueInvalidStringFormat): string {
  if (!issue.message.startsWith('Invalid ')) return issue.message;
  const pattern = 'pattern' in issue && typeof issue.pattern === 'string' ? issue.pattern : undefined;
  if (issue.format === 'regex' && pattern !== undefined) return `must match ${pattern}`;
  return `must be of the format ${issue.format}`;
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (found === null || typeof found !== 'object') return undefined;
    found = Object.hasOwn(found, part) ? (found as Readonly<Record<PropertyKey, unknown>>)[part] : undefined;
  }
  return found;
}
