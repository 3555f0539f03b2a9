import * as z from 'zod';
import type { WireErrorData } from './wire-error.ts';

/** The schema of `error.data`. Apart from RpcError, so that a plugin can throw one without loading zod. */
export const wireErrorData: z.ZodType<WireErrorData> = z.looseObject({
  kind: z.string(),
  retryable: z.boolean(),
  details: z.unknown().optional(),
});
