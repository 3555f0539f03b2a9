/**
 * Names of the notifications that go either way, apart from their schemas: whoever only needs the names, such as a
 * plugin's bundle, then loads no zod.
 */
export const sharedNames = { cancel: '$/cancelRequest', progress: '$/progress', ack: '$/ack' } as const;
