import { MmmError, permissionKinds, sandboxLevels } from '@mmm/protocol';
import * as z from 'zod';
import { issuesSentence, zodIssues } from '../schema/field-issues.ts';
import { type RiskLevel, riskLevels } from './risk.ts';

const subject = z.enum([...riskLevels, ...permissionKinds]);

/**
 * `[policy]` of the configuration: what is decided without asking. Each list names risk levels and kinds of
 * permissions. A kind counts more than a level; critical permissions are asked about whatever `auto` says.
 */
export const permissionPolicy = z
  .strictObject({
    /** Granted without asking, beside `low`, which is always unless it stands in another list. */
    auto: z.array(subject).default([]),
    /** Asked about although their level or kind would be granted. */
    ask: z.array(subject).default([]),
    /** Never granted, not even by the user; what was granted before has no effect. */
    refuse: z.array(subject).default([]),
    /** The least confinement under which any plugin runs. */
    sandbox: z.enum(sandboxLevels).default('process'),
  })
  .superRefine((policy, context) => {
    if (policy.auto.includes('critical')) {
      context.addIssue({
        code: 'custom',
        path: ['auto'],
        message: 'cannot hold "critical": those are asked one by one',
      });
    }
    const lists = ['auto', 'ask', 'refuse'] as const;
    for (const name of subject.options) {
      const holding = lists.filter((list) => policy[list].includes(name));
      if (holding.length > 1) {
        context.addIssue({
          code: 'custom',
          path: [holding[1] ?? ''],
          message: `holds "${name}", as ${holding[0]} does`,
        });
      }
    }
  });
export type PermissionPolicy = z.infer<typeof permissionPolicy>;
export type PermissionPolicyInput = z.input<typeof permissionPolicy>;

/** The policy with its defaults filled in. Throws CONFIG_INVALID naming every wrong entry; `file` is where it stood. */
export function resolvePolicy(input: PermissionPolicyInput = {}, file = 'policy'): PermissionPolicy {
  const parsed = permissionPolicy.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = zodIssues('policy', parsed.error, input);
  const list = issuesSentence(issues);
  throw new MmmError(
    'CONFIG_INVALID',
    `The permission policy in ${file} is not valid: ${list}. Correct it and try again.`,
    { file, issues },
  );
}

export type PolicyVerdict = 'automatic' | 'ask' | 'refuse';

/** What the policy says about a permission of this kind and risk, whatever was granted. */
export function verdictOf(
  kind: (typeof permissionKinds)[number],
  risk: RiskLevel,
  policy: PermissionPolicy,
): PolicyVerdict {
  if (policy.refuse.includes(kind) || policy.refuse.includes(risk)) return 'refuse';
  if (risk === 'critical' || policy.ask.includes(kind)) return 'ask';
  if (policy.auto.includes(kind)) return 'automatic';
  if (policy.ask.includes(risk)) return 'ask';
  return risk === 'low' || policy.auto.includes(risk) ? 'automatic' : 'ask';
}
