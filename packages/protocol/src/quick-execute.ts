import type * as z from 'zod';
import { capabilityKinds } from './capability.ts';

// What the schemas of `execute` say, by hand, for the calls a host makes by the thousand: checking one call by its
// schemas takes as long as everything else that is done for it. Whatever is not recognised here goes to the schema, so
// only a wrong yes would be a mistake; a test compares both.

const kinds: ReadonlySet<unknown> = new Set(capabilityKinds);
const callerKinds: ReadonlySet<unknown> = new Set(['cli', 'daemon', 'plugin', 'mapping', 'mcp', 'host']);
const nameMax = 128;

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCapability(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { kind, name } = value;
  return kinds.has(kind) && typeof name === 'string' && name.length > 0 && name.length <= nameMax;
}

/** A context without trigger, mode and the like: those are for the schema. */
function isPlainContext(value: unknown, isTimestamp: (text: unknown) => boolean): boolean {
  if (!isObject(value)) return false;
  for (const key in value) if (key !== 'caller' && key !== 'timestamp' && key !== 'deadline_ms') return false;
  const { caller, timestamp, deadline_ms: deadlineMs } = value;
  if (!isObject(caller) || !callerKinds.has(caller.kind) || typeof caller.id !== 'string') return false;
  return isTimestamp(timestamp) && Number.isFinite(deadlineMs) && (deadlineMs as number) >= 0;
}

/** Remembers the last time that the schema accepted: of many calls in one millisecond only the first is looked at. */
function remembering(schema: z.ZodType): (text: unknown) => boolean {
  let last: unknown;
  return (text) => {
    if (text === last) return text !== undefined;
    if (!schema.safeParse(text).success) return false;
    last = text;
    return true;
  };
}

/** Whether these are params of `execute` in their plain form. `timestamp` is the schema of the context's time. */
export function quickExecuteParams(timestamp: z.ZodType): (value: unknown) => boolean {
  const isTimestamp = remembering(timestamp);
  return (value) => {
    if (!isObject(value) || !Object.hasOwn(value, 'input') || value.input === undefined) return false;
    const { capability, context, progress_token: token } = value;
    if (token !== undefined && typeof token !== 'string') return false;
    return isCapability(capability) && isPlainContext(context, isTimestamp);
  };
}

/** Whether this is a result of `execute`: any object with an output. */
export function quickExecuteResult(value: unknown): boolean {
  return isObject(value) && Object.hasOwn(value, 'output') && value.output !== undefined;
}
