import type { FieldIssue } from '@mmm/protocol';
import type { ErrorObject } from 'ajv';
import type * as z from 'zod';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import type { Suggest } from './find-capability.ts';

/** Which half of a call is checked; also the first word of every path. */
export type Side = 'input' | 'output';

/** `input.expression must be string; input.base is not a known field` */
export function issuesSentence(issues: readonly FieldIssue[]): string {
  return issues.map(({ path, message }) => `${path} ${message}`).join('; ');
}

export function zodIssues(side: Side, error: z.core.$ZodError): FieldIssue[] {
  return error.issues.slice(0, hostLimits.issuesListed).map((issue) => ({
    path: pathOf(side, issue.path.map(String)),
    message: issue.code === 'invalid_type' ? `must be ${issue.expected}` : lowerFirst(safeText(issue.message)),
  }));
}

/** The validator's errors as fields: those of several branches of one choice become one, and none comes twice. */
export function ajvIssues(side: Side, errors: readonly ErrorObject[], suggest?: Suggest): FieldIssue[] {
  const issues = new Map<string, FieldIssue>();
  for (const error of errors) {
    // It only says that one of the others failed.
    if (error.keyword === 'if' || (error.keyword === 'propertyNames' && errors.length > 1)) continue;
    const issue = ajvIssue(side, error, suggest);
    issues.set(`${issue.path} ${issue.message}`, issue);
    if (issues.size === hostLimits.issuesListed) break;
  }
  return [...issues.values()];
}

function ajvIssue(side: Side, error: ErrorObject, suggest?: Suggest): FieldIssue {
  const at = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'required':
      return { path: pathOf(side, [...at, String(params.missingProperty)]), message: 'is required' };
    case 'dependentRequired':
    case 'dependencies':
      return {
        path: pathOf(side, [...at, String(params.missingProperty)]),
        message: `is required beside ${safeText(String(params.property))}`,
      };
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params.additionalProperty ?? params.unevaluatedProperty);
      const known = Object.keys(recordOf(error.parentSchema?.properties));
      const near = suggest?.(name, known);
      return {
        path: pathOf(side, [...at, name]),
        message: `is not a known field${near === undefined ? '' : `; did you mean ${near}?`}`,
      };
    }
    case 'enum':
      return { path: pathOf(side, at), message: `must be one of ${listed(params.allowedValues)}` };
    case 'const':
      return { path: pathOf(side, at), message: `must be ${quoted(params.allowedValue)}` };
    case 'false schema':
      return { path: pathOf(side, at), message: 'is not allowed' };
    default:
      return { path: pathOf(side, at), message: safeText(error.message ?? 'does not match the schema') };
  }
}

function pathOf(side: Side, parts: readonly string[]): string {
  return [side, ...parts.map((part) => safeText(part, 80))].join('.');
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

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
