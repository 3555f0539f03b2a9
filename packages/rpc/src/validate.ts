import type { AnyMethod, FieldIssue, Method } from '@mmm/protocol';

/** Most issues that are reported of one value; a wrong array of a million elements has a million. */
const issuesMax = 20;

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

/** Checks params against the method's schema and fills in its defaults. Absent params are an empty object. */
export function checkParams(method: AnyMethod, params: unknown): Checked {
  return check(method.params, params ?? {});
}

/** Checks a result against the method's schema and fills in its defaults. */
export function checkResult(method: Method, result: unknown): Checked {
  return check(method.result, result);
}

function check(schema: Method['params'], value: unknown): Checked {
  try {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { ok: true, value: parsed.data };
    const issues = parsed.error.issues.slice(0, issuesMax);
    return { ok: false, issues: issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message })) };
  } catch (error) {
    // A schema may run code of its own (refine, transform), and a value may have a getter that throws.
    return { ok: false, issues: [{ path: '', message: error instanceof Error ? error.message : String(error) }] };
  }
}

/** "input.url: expected string; method: required", for a sentence. */
export function describeIssues(issues: readonly FieldIssue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}
