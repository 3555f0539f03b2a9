import { type Permission, type PermissionKind, parsePermissionKey, permissionKinds, pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { type RiskLevel, riskLevels } from '../risk-level.ts';
import { suggest } from '../source/suggest.ts';

/** What a launch can really have enforced or not. */
export const enforcementDimensions = [
  'filesystem',
  'network',
  'environment',
  'commands',
  'processes',
  'ipc',
  'memory',
] as const;

/** More than anybody oversees; each is compared with each permission at every decision. */
const rulesMax = 1000;

/** One entry of a list: a risk level, a kind of permission, or a permission spelt as `--grant` takes it. */
export type PolicyRule =
  | { readonly level: RiskLevel }
  | { readonly kind: PermissionKind }
  | { readonly permission: Permission };

const subjects: readonly string[] = [...riskLevels, ...permissionKinds];

/** Reads one entry. Returns what it must be instead of throwing. */
export function parseRule(text: string): PolicyRule | { readonly problem: string } {
  if ((riskLevels as readonly string[]).includes(text)) return { level: text as RiskLevel };
  if ((permissionKinds as readonly string[]).includes(text)) return { kind: text as PermissionKind };
  if (text.includes('=')) {
    const permission = parsePermissionKey(text);
    if ('problem' in permission) return { problem: `is no permission: ${oneLine(permission.problem)}` };
    return { permission };
  }
  const meant = suggest(text, subjects);
  const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
  return {
    problem:
      `must be a risk level (${riskLevels.join(', ')}), a kind of permission or a permission such as ` +
      `"network=api.example.com:443", found "${text}"${hint}`,
  };
}

/** Without the marks that make a list of it. */
function oneLine(problem: string): string {
  return problem.replaceAll(/\n\s*\u2192[^\n]*/g, '').replaceAll(/\s*\u2716\s*/g, ' ');
}

const rule = z
  .string()
  .max(5000)
  .superRefine((text, context) => {
    const parsed = parseRule(text);
    if ('problem' in parsed) context.addIssue({ code: 'custom', message: parsed.problem });
  });
const rules = z.array(rule).max(rulesMax);

const lists = {
  auto: rules
    .default([])
    .describe('Granted without asking. Low risk is, unless a list says otherwise; critical never is.'),
  ask: rules.default([]).describe('Asked about, although it would be granted or refused by a less exact entry.'),
  refuse: rules.default([]).describe('Never granted, not even by you; what was granted before has no effect.'),
} as const;
type Lists = { readonly [K in keyof typeof lists]: readonly string[] };

const pluginPolicy = z.strictObject(lists).superRefine(consistent);

/** `[policy]` of config.toml and `policy` of HostOptions. */
export const policySection = z
  .strictObject({
    ...lists,
    sandbox: z
      .enum(['process', 'landlock'])
      .optional()
      .describe(
        'The least confinement of any plugin: `process`, bubblewrap; `landlock`, also Landlock where bubblewrap ' +
          'does not work. Set, it holds for plugins that `--unconfined` or `--landlock` names as well; unset, ' +
          'those may run with less, and all others by bubblewrap alone.',
      ),
    require: z
      .array(z.enum(enforcementDimensions))
      .default([])
      .describe('What the operating system must wholly enforce, else a plugin is not started.'),
    publishers: z
      .array(z.string().min(1).max(200))
      .max(rulesMax)
      .optional()
      .describe(
        'Whose plugins may be installed and run, by the name or keyid of their key. Unset: all of whom you trust.',
      ),
    plugins: z
      .record(pluginName, pluginPolicy)
      .default({})
      .describe('`auto`, `ask` and `refuse` for one plugin, looked at before the general ones.'),
  })
  .superRefine(consistent);
export type PolicySection = z.output<typeof policySection>;
export type PermissionPolicyInput = z.input<typeof policySection>;
export type PolicyLists = Pick<PolicySection, keyof Lists>;

/** One entry in two lists of the same table says nothing, and critical ones are nobody's to grant in advance. */
function consistent(policy: Lists, context: z.core.$RefinementCtx<Lists>): void {
  const seen = new Map<string, string>();
  for (const name of ['auto', 'ask', 'refuse'] as const) {
    policy[name].forEach((text, index) => {
      const earlier = seen.get(text);
      const problem =
        name === 'auto' && text === 'critical'
          ? 'cannot be "critical": those are asked about one by one'
          : earlier === undefined || earlier === name
            ? undefined
            : `holds "${text}", as ${earlier} does`;
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [name, index], message: problem });
      seen.set(text, name);
    });
  }
}
