import * as z from 'zod';

/** Any JSON object. */
export const jsonObject = z.record(z.string(), z.unknown());
/** No fields are defined; what is there is ignored. */
export const emptyObject = z.looseObject({});
