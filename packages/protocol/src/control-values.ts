import { type ErrorCode, type ErrorData, MmmError } from './errors.ts';

/** What stands for a value that JSON does not have. Keys of other objects that begin with "$" get a second one. */
const tags = { date: '$date', number: '$number', error: '$error' } as const;

/**
 * Spells a value so that JSON can carry it: dates, numbers that are not finite, and errors. Functions, symbols and
 * `undefined` are left out, as JSON leaves them out. An error keeps its code, message and data, and no stack.
 */
export function toControlValue(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { [tags.number]: String(value) };
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => toControlValue(item) ?? null);
  if (value instanceof Date) return { [tags.date]: value.toISOString() };
  if (value instanceof Error) return { [tags.error]: toControlError(value) };
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const spelt = toControlValue(inner);
      return spelt === undefined ? [] : [[key.startsWith('$') ? `$${key}` : key, spelt]];
    }),
  );
}

/** The value that `toControlValue` spelt. */
export function fromControlValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fromControlValue);
  const entries = Object.entries(value);
  const [only] = entries;
  if (only !== undefined && entries.length === 1) {
    const [key, inner] = only;
    if (key === tags.date) return new Date(String(inner));
    if (key === tags.number) return Number(inner);
    if (key === tags.error) return fromControlError(inner as ControlError);
  }
  return Object.fromEntries(
    entries.map(([key, inner]) => [key.startsWith('$$') ? key.slice(1) : key, fromControlValue(inner)]),
  );
}

/** An error as the control API carries it. */
export interface ControlError {
  readonly code: string;
  readonly message: string;
  /** As `toControlValue` spells it. */
  readonly data: unknown;
}

/** Anything thrown. What is no MmmError is a fault of mmm's own: INTERNAL, with where it happened in its detail. */
export function toControlError(error: unknown): ControlError {
  if (error instanceof MmmError) {
    return { code: error.code, message: error.message, data: toControlValue(error.data) };
  }
  const message = error instanceof Error ? error.message : String(error);
  const detail = error instanceof Error ? (error.stack ?? message) : message;
  return { code: 'INTERNAL', message, data: { detail } };
}

/** The error itself again. A code that this version does not know stays as it came. */
export function fromControlError({ code, message, data }: ControlError): MmmError {
  return new MmmError(code as ErrorCode, message, fromControlValue(data) as ErrorData[ErrorCode]);
}
