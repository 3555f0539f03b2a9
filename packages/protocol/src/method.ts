import type * as z from 'zod';

/** One JSON-RPC request: its name, both schemas and, by inference, both types. */
export interface Method<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  readonly kind: 'request';
  readonly name: string;
  readonly params: P;
  readonly result: R;
  readonly summary: string;
  readonly quick?: QuickChecks;
}

/**
 * For a method that is called so often that its schemas would be a good part of its time: each says yes to values that
 * the schema accepts and would not change, and leaves the others to the schema.
 */
export interface QuickChecks {
  readonly params: (value: unknown) => boolean;
  readonly result: (value: unknown) => boolean;
}

/** One JSON-RPC notification. It has no answer, so it can only be counted, never failed. */
export interface Notification<P extends z.ZodType = z.ZodType> {
  readonly kind: 'notification';
  readonly name: string;
  readonly params: P;
  readonly summary: string;
}

export type AnyMethod = Method | Notification;
/** What a caller may pass (before defaults are filled in). */
export type ParamsInput<M extends AnyMethod> = z.input<M['params']>;
/** What a handler receives (defaults filled in). */
export type Params<M extends AnyMethod> = z.output<M['params']>;
export type ResultInput<M extends Method> = z.input<M['result']>;
export type Result<M extends Method> = z.output<M['result']>;

/** Adding a request to a table makes every implementer fail to compile until it is handled. */
export type Handlers<T extends Readonly<Record<string, AnyMethod>>, C> = {
  readonly [K in keyof T]: T[K] extends Method
    ? (params: Params<T[K]>, context: C) => Promise<ResultInput<T[K]>>
    : (params: Params<T[K]>, context: C) => void;
};

export function method<P extends z.ZodType, R extends z.ZodType>(
  name: string,
  summary: string,
  params: P,
  result: R,
  quick?: QuickChecks,
): Method<P, R> {
  const parts = { kind: 'request', name, params, result, summary } as const;
  return quick === undefined ? parts : { ...parts, quick };
}

export function notification<P extends z.ZodType>(name: string, summary: string, params: P): Notification<P> {
  return { kind: 'notification', name, params, summary };
}
