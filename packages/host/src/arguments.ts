import { isAbsolute } from 'node:path';
import { capabilityRef, logLevel, MmmError } from '@mmm/protocol';
import * as z from 'zod';
import type { Prompter } from './clients/prompter.ts';
import { issuesSentence, zodIssues } from './schema/field-issues.ts';
import { keysKnownAt } from './schema/known-keys.ts';
import { suggest } from './source/suggest.ts';

/** A function of the embedding program's. What it takes and returns only its type says. */
export function functionOf<T>(): z.ZodType<T, T> {
  return z.custom<T>((value) => typeof value === 'function', 'must be a function');
}

/** An object of the embedding program's with these methods; it may have more, and be of any class. */
export function objectWith<T>(...methods: readonly (keyof T & string)[]): z.ZodType<T, T> {
  const hasAll = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function');
  return z.custom<T>(hasAll, `must be an object with ${methods.map((name) => `${name}()`).join(', ')}`);
}

export const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path');

const id = z.string();
const keys = z.array(z.string());
const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'must be an AbortSignal');
const capability = z.union([z.string(), capabilityRef], { error: 'must be a name, or an object with kind and name' });
const role = z.enum(['publisher', 'root']);
const record = z.record(z.string(), z.unknown());
const mappingTrial = z.strictObject({
  mapping: z.string().optional(),
  type: z.string().optional(),
  data: z.unknown().optional(),
  source: z.string().optional(),
  instance: z.string().optional(),
  mode: z.string().optional(),
});

/** What each method of the library takes, by the names of its parameters. */
const methods = {
  'host.createKey': z.strictObject({ name: z.string(), options: z.strictObject({ role: role.optional() }) }),
  'host.trustKey': z.strictObject({
    key: z.strictObject({
      publicKey: z.string(),
      name: z.string(),
      scopes: z.array(z.string()),
      role: role.optional(),
      notAfter: z.string().optional(),
      replace: z.boolean().optional(),
    }),
  }),
  'host.revokeKey': z.strictObject({ key: z.string(), reason: z.string() }),
  'host.rotateKey': z.strictObject({
    name: z.string().optional(),
    options: z.strictObject({ cutoverAt: z.date().optional() }),
  }),
  'host.importRotation': z.strictObject({ text: z.string(), file: z.string() }),
  'host.importRevocations': z.strictObject({ text: z.string(), file: z.string() }),
  'host.issueRevocations': z.strictObject({
    revocations: z.strictObject({
      key: z.string().optional(),
      keys,
      bundles: z.array(z.string().regex(/^[0-9a-fA-F]{64}$/, 'must be the sha256 of a bundle: 64 hex digits')),
      reason: z.string().max(400),
      expires: z.date(),
    }),
  }),
  'host.enable': z.strictObject({ id, options: z.strictObject({ allowPublisherChange: z.string().optional() }) }),
  'host.backup': z.strictObject({ file: absolutePath }),
  'host.sign': z.strictObject({ path: absolutePath, key: z.string().optional() }),
  'host.package': z.strictObject({ path: absolutePath, output: absolutePath }),
  'host.inspect': z.strictObject({ pathOrId: z.string() }),
  'host.verify': z.strictObject({
    pathOrId: z.string(),
    options: z.strictObject({
      minisign: z.strictObject({ signature: z.string(), key: z.string().optional() }).optional(),
    }),
  }),
  'host.install': z.strictObject({
    path: absolutePath,
    options: z.strictObject({
      grantRequested: z.boolean().optional(),
      grant: keys.optional(),
      allowUnsigned: z.string().optional(),
      allowDowngrade: z.boolean().optional(),
      hooks: z.boolean().optional(),
      signal: signal.optional(),
      allowVersionReuse: z.string().optional(),
      allowPublisherChange: z.string().optional(),
    }),
  }),
  'host.remove': z.strictObject({ id, options: z.strictObject({ keepData: z.boolean().optional() }) }),
  'host.grant': z.strictObject({ id, keys }),
  'host.revoke': z.strictObject({ id, keys }),
  'host.setConfig': z.strictObject({
    id,
    change: z.strictObject({
      set: record.optional(),
      visible: keys.optional(),
      unset: keys.optional(),
      replace: record.optional(),
    }),
  }),
  'host.register': z.strictObject({
    plugin: z.looseObject({ manifest: z.looseObject({}), serve: functionOf() }),
  }),
  'host.emit': z.strictObject({
    type: z.string(),
    options: z.strictObject({
      source: z
        .string()
        .max(80)
        .regex(/^[a-z][a-z0-9_-]*$/, 'must be lower-case letters, digits, "_" and "-"')
        .optional(),
      signal: signal.optional(),
    }),
  }),
  'host.events': z.strictObject({
    filter: z.strictObject({
      types: z.array(z.string().max(200)).max(200).optional(),
      since: z.date().optional(),
      limit: z.int().min(1).optional(),
      signal: signal.optional(),
    }),
  }),
  'host.events.retry': z.strictObject({ id: z.int().min(1) }),
  'host.logs': z.strictObject({
    id,
    options: z.strictObject({
      lines: z.int().min(1).optional(),
      since: z.date().optional(),
      level: logLevel.optional(),
    }),
  }),
  'mappings.test': z.strictObject({ trial: mappingTrial }),
  'mappings.fire': z.strictObject({ trial: mappingTrial }),
  'mappings.setMode': z.strictObject({ name: z.string() }),
  'a method of the host': z.strictObject({ id }),
  'plugin.execute': z.strictObject({
    capability,
    options: z.strictObject({
      timeoutMs: z
        .custom((value) => typeof value === 'number' && value > 0 && value < Infinity, {
          error: 'must be a number of milliseconds above 0; leave it out for no deadline of your own',
        })
        .optional(),
      signal: signal.optional(),
      onProgress: functionOf().optional(),
      failFast: z.boolean().optional(),
      prompter: objectWith<Prompter>('ask').nullable().optional(),
      context: z.looseObject({}).optional(),
    }),
  }),
  'plugin.complete': z.strictObject({ capability, partial: z.string() }),
  'plugin.stop': z.strictObject({ reason: z.string() }),
  'plugin.changes': z.strictObject({ signal }),
} as const;
type Methods = typeof methods;

/** Throws CONFIG_INVALID that names every wrong argument, so that a slip never comes out as a TypeError of ours. */
export function checkArguments<N extends keyof Methods>(
  method: N,
  given: Readonly<Record<keyof z.input<Methods[N]>, unknown>>,
): void {
  check(methods[method], given, { root: '', file: method, what: `What was given to ${method}` });
}

/** Throws CONFIG_INVALID with `what` as the subject of its sentence. */
export function check(
  schema: z.ZodType,
  given: unknown,
  { root, file, what }: { readonly root: string; readonly file: string; readonly what: string },
): void {
  const parsed = schema.safeParse(given);
  if (parsed.success) return;
  const known = (path: readonly PropertyKey[]): readonly string[] => keysKnownAt(schema, path);
  const issues = zodIssues(root, parsed.error, given, { keys: known, suggest });
  throw new MmmError('CONFIG_INVALID', `${what} is not valid: ${issuesSentence(issues)}.`, { file, issues });
}
