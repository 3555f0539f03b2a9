import { type AnyMethod, type FieldIssue, fieldIssues, type Method } from '@mmm/protocol';

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly FieldIssue[] };

/** Checks params against the method's schema and fills in its defaults. Absent params are an empty object. */
export function checkParams(method: AnyMethod, params: unknown): Checked {
  if (method.kind === 'request' && method.quick?.params(params) === true) return { ok: true, value: params };
  return check(method.params, params ?? {});
}

/** Checks a result against the method's schema and fills in its defaults. */
export function checkResult(method: Method, result: unknown): Checked {
  if (method.quick?.result(result) === true) return { ok: true, value: result };
  return check(method.result, result);
}

function check(schema: Method['params'], value: unknown): Checked {
  try {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { ok: true, value: parsed.data };
    return { ok: false, issues: fieldIssues(parsed.error, value) };
  } catch (error) {
    // A schema may run code of its own (refine, transform), and a value may have a getter that throws.
    return { ok: false, issues: [{ path: '', message: error instanceof Error ? error.message : String(error) }] };
  }
}

/** "input.url must be string; method is required", for a sentence. */
export function describeIssues(issues: readonly FieldIssue[]): string {
  return issues.map(({ path, message }) => (path === '' ? `the whole ${message}` : `${path} ${message}`)).join('; ');
}
