import { MmmError, type Permission } from '@mmm/protocol';
import type { AuditSink } from '../audit/audit-log.ts';
import type { PluginOrigin } from '../discover/spec.ts';
import { safeText } from '../display/safe-text.ts';
import type { RiskLevel } from '../risk-level.ts';
import { issuesSentence, zodIssues } from '../schema/field-issues.ts';
import {
  type enforcementDimensions,
  type PermissionPolicyInput,
  type PolicyLists,
  type PolicyRule,
  type PolicySection,
  parseRule,
  policySection,
} from '../settings/policy.ts';
import type { Trust } from '../verify/verified.ts';
import { covers, overlaps } from './covers.ts';
import { expandPath, type RiskContext } from './paths.ts';

/** A policy and where it stands, as the end of a sentence: a file, or whoever opened the host. */
export interface PolicySource {
  readonly where: string;
  readonly section: PolicySection;
}

/** Where the answer to a question about a permission stands. */
export interface PolicyEntry {
  readonly where: string;
  /** `[policy]` or `[policy.plugins.weather]`. */
  readonly table: string;
  readonly list: keyof PolicyLists;
  readonly entry: string;
}

/** Why a plugin may not be installed or started at all. */
export interface PolicyRefusal {
  readonly where: string;
  /** The key of `[policy]`. */
  readonly setting: 'publishers' | 'sandbox' | 'require';
  /** The end of a sentence about the plugin. */
  readonly reason: string;
}

export type PolicyVerdict = 'automatic' | 'ask' | 'refuse';

/** What the policy says, and which entry says so; without one it is the default. */
export interface PolicyAnswer {
  readonly verdict: PolicyVerdict;
  readonly by?: PolicyEntry;
}

/** Whom and what a permission is judged for. */
export interface PolicyContext extends RiskContext {
  /** The plugin that asks. Default: only what holds for all plugins counts. */
  readonly plugin?: string;
}

interface ReadEntry extends PolicyEntry {
  readonly rule: PolicyRule;
}
interface Table {
  readonly auto: readonly ReadEntry[];
  readonly ask: readonly ReadEntry[];
  readonly refuse: readonly ReadEntry[];
}
interface Layer extends PolicySource {
  readonly general: Table;
  readonly plugins: ReadonlyMap<string, Table>;
}

/** What all sources say together. A refusal or a minimum of one of them holds whatever the others say. */
export class PermissionPolicy {
  #layers: readonly Layer[];

  /** Of what is granted or asked about, an earlier source counts more than a later one. */
  constructor(sources: readonly PolicySource[]) {
    this.#layers = sources.map(readLayer);
  }

  /** From here on these count instead, for each question that is asked. */
  follow(sources: readonly PolicySource[]): void {
    this.#layers = sources.map(readLayer);
  }

  get sources(): readonly PolicySource[] {
    return this.#layers;
  }

  /**
   * Looked at in this order, in the plugin's own table and then in the general one: the entries that are permissions;
   * then `refuse`, by kind or level; then kinds; then levels. Critical permissions are never automatic.
   */
  about(permission: Permission, risk: RiskLevel, context: PolicyContext = {}): PolicyAnswer {
    const expanded = withoutPrefix(permission, context);
    const answers = this.#layers.flatMap(({ general, plugins }) => {
      const own = context.plugin === undefined ? undefined : plugins.get(context.plugin);
      for (const table of own === undefined ? [general] : [own, general]) {
        const found = findEntry(table, expanded, risk, context);
        if (found !== undefined) return [found];
      }
      return [];
    });
    const decisive = answers.find(({ list }) => list === 'refuse') ?? answers[0];
    if (decisive === undefined) return { verdict: risk === 'low' ? 'automatic' : 'ask' };
    const { where, table, list, entry } = decisive;
    const verdict = list === 'auto' ? (risk === 'critical' ? 'ask' : 'automatic') : list;
    return { verdict, by: { where, table, list, entry } };
  }

  /** A program's own plugins and the folder under development are not published by anybody. */
  refusesPublisher(trust: Trust, origin: PluginOrigin): PolicyRefusal | undefined {
    if (origin === 'registered' || origin === 'development') return undefined;
    for (const { where, section } of this.#layers) {
      const { publishers } = section;
      if (publishers === undefined) continue;
      if (trust.kind === 'signed' && namesOf(trust).some((name) => publishers.includes(name))) continue;
      const signer =
        trust.kind === 'signed'
          ? `it is signed by "${safeText(trust.keyName)}" (${trust.fingerprint})`
          : 'nobody signed it';
      return { where, setting: 'publishers', reason: `${signer}, and only ${listed(publishers)} may publish here` };
    }
    return undefined;
  }

  /** Where bubblewrap does not work, Landlock will do for every plugin. */
  get acceptsLandlock(): boolean {
    const wanted = this.#layers.map(({ section }) => section.sandbox);
    return wanted.includes('landlock') && !wanted.includes('process');
  }

  /** Of a start that is ready: how it would be confined. */
  refusesConfinement({ level, mechanism, enforcement }: Confinement): PolicyRefusal | undefined {
    for (const { where, section } of this.#layers) {
      const isBelow = level === 'none' || (section.sandbox === 'process' && mechanism === 'landlock');
      if (section.sandbox !== undefined && isBelow) {
        return {
          where,
          setting: 'sandbox',
          reason: `every plugin is confined at level "${section.sandbox}", also this one`,
        };
      }
      const weak = section.require.find((dimension) => enforcement[dimension] !== 'enforced');
      if (weak === undefined) continue;
      return {
        where,
        setting: 'require',
        reason: `${weak} would be ${enforcement[weak]}, not enforced, on this machine`,
      };
    }
    return undefined;
  }
}

/** What of a launch the policy judges. */
export interface Confinement {
  readonly level: string;
  readonly mechanism: string;
  readonly enforcement: Readonly<Record<(typeof enforcementDimensions)[number], string>>;
}

/** Also the first key of its line, so that a rotation does not lock a publisher out. */
function namesOf({ keyName, keyid, fingerprint, publisher }: Extract<Trust, { kind: 'signed' }>): readonly string[] {
  return [keyName, keyid, fingerprint, publisher];
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'nobody' : names.map((name) => `"${safeText(name, 80)}"`).join(', ');
}

/** The refusal as an error, recorded first. */
export function policyRefused(
  plugin: string,
  { where, setting, reason }: PolicyRefusal,
  audit: AuditSink,
): MmmError<'POLICY_REFUSED'> {
  audit.append({ action: 'refused', plugin, detail: { by: 'policy', setting, where, reason } });
  const change = `To allow it, change \`${setting}\` of [policy] in ${where}.`;
  const message = `Plugin "${plugin}" was refused: ${reason}. ${change}`;
  return new MmmError('POLICY_REFUSED', message, { plugin, where, setting, reason });
}

/** Of one source. Throws CONFIG_INVALID naming every wrong entry; `where` is where it stood. */
export function resolvePolicy(input: PermissionPolicyInput = {}, where = 'policy'): PermissionPolicy {
  const parsed = policySection.safeParse(input);
  if (parsed.success) return new PermissionPolicy([{ where, section: parsed.data }]);
  const issues = zodIssues('policy', parsed.error, input);
  const list = issuesSentence(issues);
  throw new MmmError(
    'CONFIG_INVALID',
    `The permission policy in ${where} is not valid: ${list}. Correct it and try again.`,
    { file: where, issues },
  );
}

/** `refuse = ["network"] in [policy] of /home/ada/.mmm/config.toml`: what to change to have another answer. */
export function entryText({ where, table, list, entry }: PolicyEntry): string {
  return `\`${list}\` ("${entry}") of ${table} in ${where}`;
}

function readLayer({ where, section }: PolicySource): Layer {
  const read = (lists: PolicyLists, table: string): Table => {
    const entries = (list: keyof PolicyLists): ReadEntry[] =>
      lists[list].flatMap((entry) => {
        const rule = parseRule(entry);
        // The schema refused what cannot be read.
        return 'problem' in rule ? [] : [{ where, table, list, entry, rule }];
      });
    return { auto: entries('auto'), ask: entries('ask'), refuse: entries('refuse') };
  };
  const plugins = Object.entries(section.plugins).map(
    ([plugin, lists]) => [plugin, read(lists, `[policy.plugins.${tomlKey(plugin)}]`)] as const,
  );
  return { where, section, general: read(section, '[policy]'), plugins: new Map(plugins) };
}

function tomlKey(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}

function findEntry(table: Table, permission: Permission, risk: RiskLevel, context: RiskContext): ReadEntry | undefined {
  const exact = ({ rule, list }: ReadEntry): boolean => {
    if (!('permission' in rule)) return false;
    const named = withoutPrefix(rule.permission, context);
    // A refusal also meets what would only partly be refused: a wildcard must not be a way around it.
    return list === 'refuse' ? overlaps(permission, named) : covers(named, permission);
  };
  const kind = ({ rule }: ReadEntry): boolean => 'kind' in rule && rule.kind === permission.kind;
  const level = ({ rule }: ReadEntry): boolean => 'level' in rule && rule.level === risk;
  return (
    table.refuse.find(exact) ??
    table.ask.find(exact) ??
    table.auto.find(exact) ??
    table.refuse.find((entry) => kind(entry) || level(entry)) ??
    table.ask.find(kind) ??
    table.auto.find(kind) ??
    table.ask.find(level) ??
    table.auto.find(level)
  );
}

/** So that `${home}/x` and the path it means are the same. */
function withoutPrefix(permission: Permission, context: RiskContext): Permission {
  if (permission.kind !== 'filesystem') return permission;
  return { ...permission, path: expandPath(permission.path, context) ?? permission.path };
}
