import { type FieldIssue, issueMessage } from '@mmm/protocol';
import type { ErrorObject } from 'ajv';
import type * as z from 'zod';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';

/** Finds the word that was probably meant. `source/suggest.ts`; injected, so that tests can do without. */
export type Suggest = (word: string, candidates: Iterable<string>) => string | undefined;

/** `input.expression must be string; input.base is not a known field` */
export function issuesSentence(issues: readonly FieldIssue[]): string {
  return issues.map(({ path, message }) => (path === '' ? `the whole ${message}` : `${path} ${message}`)).join('; ');
}

const missing = 'is required';

/** Whether an issue is about a field that has no value yet, not about a wrong one. */
export function isMissing({ message }: FieldIssue): boolean {
  return message.startsWith(missing);
}

/** The keys that are known at a path, to suggest one of them. */
type KnownKeys = (path: readonly PropertyKey[]) => readonly string[];

/** What a schema found wrong with a value. With `known`, a field nobody knows is told with the one that was meant. */
export function zodIssues(
  root: string,
  error: { readonly issues: readonly z.core.$ZodIssue[] },
  value: unknown,
  known?: { readonly keys: KnownKeys; readonly suggest: Suggest },
): FieldIssue[] {
  return error.issues.slice(0, hostLimits.issuesListed).flatMap((issue) => {
    const at = issue.path.map(String);
    if (issue.code !== 'unrecognized_keys')
      return [{ path: pathOf(root, at), message: safeText(issueMessage(issue, value)) }];
    return issue.keys.map((key) => ({
      path: pathOf(root, [...at, key]),
      message: unknownField(known?.suggest(key, known.keys(issue.path))),
    }));
  });
}

/** The validator's errors as fields: those of several branches of one choice become one, and none comes twice. */
export function ajvIssues(root: string, errors: readonly ErrorObject[], suggest?: Suggest): FieldIssue[] {
  const issues = new Map<string, FieldIssue>();
  for (const error of errors) {
    // It only says that one of the others failed.
    if (error.keyword === 'if' || (error.keyword === 'propertyNames' && errors.length > 1)) continue;
    const issue = ajvIssue(root, error, suggest);
    issues.set(`${issue.path} ${issue.message}`, issue);
    if (issues.size === hostLimits.issuesListed) break;
  }
  return [...issues.values()];
}

function ajvIssue(root: string, error: ErrorObject, suggest?: Suggest): FieldIssue {
  const at = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'required':
      return { path: pathOf(root, [...at, String(params.missingProperty)]), message: missing };
    case 'dependentRequired':
    case 'dependencies':
      return {
        path: pathOf(root, [...at, String(params.missingProperty)]),
        message: `${missing} beside ${safeText(String(params.property))}`,
      };
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params.additionalProperty ?? params.unevaluatedProperty);
      const known = Object.keys(recordOf(error.parentSchema?.properties));
      const near = suggest?.(name, known);
      return {
        path: pathOf(root, [...at, name]),
        message: unknownField(near),
      };
    }
    case 'enum':
      return { path: pathOf(root, at), message: `must be one of ${listed(params.allowedValues)}` };
    case 'const':
      return { path: pathOf(root, at), message: `must be ${quoted(params.allowedValue)}` };
    case 'false schema':
      return { path: pathOf(root, at), message: 'is not allowed' };
    default:
      return { path: pathOf(root, at), message: safeText(error.message ?? 'does not match the schema') };
  }
}

function pathOf(root: string, parts: readonly string[]): string {
  const words = parts.map((part) => safeText(part, 80));
  return (root === '' ? words : [root, ...words]).join('.');
}

function listed(values: unknown): string {
  if (!Array.isArray(values)) return 'the allowed values';
  return values.slice(0, 10).map(quoted).join(', ') + (values.length > 10 ? ', …' : '');
}

function quoted(value: unknown): string {
  return safeText(JSON.stringify(value) ?? 'nothing', 80);
}

function recordOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function unknownField(near: string | undefined): string {
  return `is not a known field${near === undefined ? '' : `; did you mean ${near}?`}`;
}
