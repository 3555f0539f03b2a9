import type { FieldIssue } from '@mmm/protocol';
import { PluginError } from './plugin-error.ts';

/** The part of the Standard Schema specification the SDK needs: zod, valibot, arktype and others implement it. */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}
export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** How an author may type a value: a Standard Schema, or a function that returns the value or throws. */
export type Schema<T> = StandardSchema<T> | ((value: unknown) => T);

/**
 * The value as the schema types it; without a schema the value as it came (the host has checked it against the
 * manifest already). Throws a PluginError of the given kind that names every field, for InvalidParams details.
 */
export async function parseWith<T>(
  schema: Schema<T> | undefined,
  value: unknown,
  what: string,
  kind: 'invalid_params' | 'invalid_config',
): Promise<T> {
  if (schema === undefined) return value as T;
  const issues: FieldIssue[] = [];
  if (typeof schema === 'function') {
    try {
      return schema(value);
    } catch (error) {
      if (error instanceof PluginError) throw error;
      issues.push({ path: '', message: error instanceof Error ? error.message : String(error) });
    }
  } else {
    const checked = schema['~standard'].validate(value);
    const result = checked instanceof Promise ? await checked : checked;
    if (result.issues === undefined) return result.value;
    for (const issue of result.issues) issues.push({ path: pathOf(issue), message: issue.message });
  }
  const fields = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  throw new PluginError(`${what} is not valid: ${fields.join('; ')}`, { kind, details: { issues } });
}

function pathOf(issue: StandardIssue): string {
  return (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
}
