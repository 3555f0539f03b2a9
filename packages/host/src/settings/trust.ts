import * as z from 'zod';

/** `[trust]` of config.toml. */
export const trustSection = z.strictObject({
  expired_revocations: z
    .enum(['warn', 'refuse'])
    .default('warn')
    .describe(
      'What a revocation list that is missing or has expired means for the plugins that its issuer covers: `mmm ' +
        'doctor` warns, or none of them is installed or started.',
    ),
});
export type TrustSection = z.output<typeof trustSection>;
