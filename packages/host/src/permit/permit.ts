import { listPermissions, MmmError, type Permission, permissionKey } from '@mmm/protocol';
import type { AuditSink } from '../audit/audit-log.ts';
import type { PermissionPrompter, PromptAnswer, PromptItem } from '../clients/prompter.ts';
import { publisherOf } from '../identity.ts';
import type { GrantStore } from '../store/store.ts';
import type { VerifiedPlugin } from '../verify/verified.ts';
import { type Decision, decide } from './decide.ts';
import type { PermittedPlugin } from './permitted.ts';
import { entryText, type PermissionPolicy, type PolicyContext, policyRefused } from './policy.ts';
import { checkRequest, describePermission, riskInfo, riskOf } from './risk.ts';

export interface PermitServices {
  readonly grants: GrantStore;
  readonly policy: PermissionPolicy;
  readonly audit: AuditSink;
  /** The name under which this plugin's grants are kept. Default: its id. */
  readonly recordId?: string;
  /** Absolute path of `$MMM_HOME`: access to it is critical. */
  readonly home?: string;
  readonly project?: string;
  /** Asked about what nobody has decided. Default: such a launch fails with CONSENT_REQUIRED. */
  readonly prompter?: PermissionPrompter;
  /** What was allowed once: kept by the host for as long as it lives, so that a restart does not ask again. */
  readonly once?: Set<string>;
  /** Keys granted for this launch by whoever started the host; nothing of them is stored. */
  readonly allowed?: readonly string[];
  /** The command that would grant what is missing. Default: `mmm plugin grant …`. */
  readonly howToGrant?: (keys: readonly string[]) => string;
  /** RFC 3339, UTC. */
  now(): string;
}

/**
 * Decides what a plugin may do, before anything of it runs. Throws POLICY_REFUSED for a publisher the policy does not
 * allow, GRANT_INVALID when its manifest asks for what is
 * never granted, PERMISSION_DENIED when the policy or the user refuses something it requires, CONSENT_REQUIRED when
 * somebody would have to be asked. Optional permissions that nobody granted are absent, without a question.
 */
export async function permit(plugin: VerifiedPlugin, services: PermitServices): Promise<PermittedPlugin> {
  const refusal = services.policy.refusesPublisher(plugin.trust, plugin.spec.origin);
  if (refusal !== undefined) throw policyRefused(plugin.spec.id, refusal, services.audit);
  const requested = listPermissions(plugin.spec.manifest.permissions);
  const decision = decide(requested, grantedKeys(plugin, services), services.policy, contextOf(plugin, services));
  refuseRequired(plugin, decision, services);
  const agreed = decision.missing.length === 0 ? [] : await askFor(plugin, decision.missing, services);
  const granted = [...decision.granted, ...agreed];
  const keys = new Set(granted.map(permissionKey));
  return {
    ...plugin,
    granted,
    automatic: decision.automatic.map(permissionKey),
    stored: storedKeys(plugin, services).filter((key) => keys.has(key)),
  } as PermittedPlugin;
}

function contextOf(plugin: VerifiedPlugin, services: PermitServices): PolicyContext {
  return { ...services, plugin: plugin.spec.id };
}

function recordIdOf(plugin: VerifiedPlugin, services: PermitServices): string {
  return services.recordId ?? plugin.spec.id;
}

function onceKey(plugin: VerifiedPlugin, key: string, services: PermitServices): string {
  return JSON.stringify([recordIdOf(plugin, services), publisherOf(plugin.trust), key]);
}

function storedKeys(plugin: VerifiedPlugin, services: PermitServices): readonly string[] {
  return services.grants.list(recordIdOf(plugin, services), publisherOf(plugin.trust)).map(({ key }) => key);
}

function grantedKeys(plugin: VerifiedPlugin, services: PermitServices): ReadonlySet<string> {
  const once = listPermissions(plugin.spec.manifest.permissions)
    .map(permissionKey)
    .filter((key) => services.once?.has(onceKey(plugin, key, services)) === true);
  return new Set([...storedKeys(plugin, services), ...once, ...(services.allowed ?? [])]);
}

function refuseRequired(plugin: VerifiedPlugin, decision: Decision, services: PermitServices): void {
  const { id } = plugin.spec;
  const refused = decision.refused.find(({ optional }) => optional !== true);
  if (refused === undefined) return;
  const key = permissionKey(refused);
  const problem = checkRequest(refused);
  services.audit.append({
    action: 'refused',
    plugin: id,
    detail: { permission: key, by: problem === undefined ? 'policy' : 'rule' },
  });
  if (problem !== undefined) {
    const message = `Plugin "${id}" asks for ${key}, which is never granted: ${problem}`;
    throw new MmmError('GRANT_INVALID', message, { plugin: id, grant: key, reason: problem });
  }
  throw deniedByPolicy(id, refused, services.policy, contextOf(plugin, services));
}

/** The error for a permission that the policy refuses, which names what to change. */
export function deniedByPolicy(
  id: string,
  permission: Permission,
  policy: PermissionPolicy,
  context: PolicyContext,
): MmmError<'PERMISSION_DENIED'> {
  const { by } = policy.about(permission, riskOf(permission, context), context);
  const key = permissionKey(permission);
  const where = by === undefined ? 'the permission policy' : entryText(by);
  const message =
    `Plugin "${id}" needs ${key}, which is refused by ${where}. Change that entry to allow it, or do without ` +
    'this plugin.';
  return new MmmError('PERMISSION_DENIED', message, { plugin: id, permission: key });
}

/** All that is not critical in one question, each critical one in its own. */
async function askFor(
  plugin: VerifiedPlugin,
  missing: readonly Permission[],
  services: PermitServices,
): Promise<readonly Permission[]> {
  if (services.prompter === undefined) throw consentRequired(plugin, missing, services);
  const critical = missing.filter((permission) => riskOf(permission, services) === 'critical');
  const others = missing.filter((permission) => !critical.includes(permission));
  const questions = [...(others.length === 0 ? [] : [others]), ...critical.map((permission) => [permission])];
  const answers: { readonly permissions: readonly Permission[]; readonly answer: 'once' | 'always' }[] = [];
  for (const permissions of questions) {
    const answer = await askOnce(plugin, permissions, services).catch((error: unknown) => {
      throw consentRequired(plugin, missing, services, error);
    });
    if (answer === 'deny') throw denied(plugin, permissions, services);
    answers.push({ permissions, answer });
  }
  // Only now, so that a plugin that is denied its last question keeps nothing of the earlier ones.
  for (const { permissions, answer } of answers) recordAnswer(plugin, permissions, answer, services);
  return missing;
}

/** One question about these. Rejects when nobody could be asked. */
export async function askOnce(
  plugin: VerifiedPlugin,
  permissions: readonly Permission[],
  services: PermitServices,
): Promise<PromptAnswer> {
  const { id, manifest } = plugin.spec;
  const { trust } = plugin;
  const [publisher, fingerprint] = trust.kind === 'signed' ? [trust.keyName, trust.fingerprint] : [null, null];
  const items = permissions.map(
    (permission): PromptItem => ({
      permission,
      key: permissionKey(permission),
      risk: riskOf(permission, services),
      sentence: describePermission(permission),
      reason: permission.reason ?? null,
    }),
  );
  const { prompter } = services;
  if (prompter === undefined) throw new Error('nobody is there to be asked');
  return await prompter.ask({ plugin: id, version: manifest.plugin.version, publisher, fingerprint, items });
}

/** The audit first: what cannot be recorded is not granted. */
export function recordAnswer(
  plugin: VerifiedPlugin,
  permissions: readonly Permission[],
  answer: 'once' | 'always',
  services: PermitServices,
): void {
  const publisher = publisherOf(plugin.trust);
  const keys = permissions.map(permissionKey);
  services.audit.append({
    action: 'grant',
    plugin: plugin.spec.id,
    detail: { permissions: keys, publisher, source: 'prompt', answer },
  });
  if (answer === 'always') {
    services.grants.add(recordIdOf(plugin, services), publisher, permissions, 'prompt', services.now());
  } else {
    for (const key of keys) services.once?.add(onceKey(plugin, key, services));
  }
}

function denied(
  plugin: VerifiedPlugin,
  permissions: readonly Permission[],
  services: PermitServices,
): MmmError<'PERMISSION_DENIED'> {
  const { id } = plugin.spec;
  const keys = permissions.map(permissionKey);
  services.audit.append({ action: 'deny', plugin: id, detail: { permissions: keys, source: 'prompt' } });
  const list = keys.join(', ');
  return new MmmError(
    'PERMISSION_DENIED',
    `Plugin "${id}" was not started: it needs ${list}, and you did not allow it. To allow it later, run: ` +
      grantCommand(id, keys),
    { plugin: id, permission: list },
  );
}

function consentRequired(
  plugin: VerifiedPlugin,
  missing: readonly Permission[],
  services: PermitServices,
  cause?: unknown,
): MmmError<'CONSENT_REQUIRED'> {
  const { id } = plugin.spec;
  const keys = missing.map(permissionKey);
  services.audit.append({ action: 'deny', plugin: id, detail: { permissions: keys, source: 'nobody_asked' } });
  const lines = missing.map((permission) => {
    const { symbol, name } = riskInfo[riskOf(permission, services)];
    return `  ${symbol} ${permissionKey(permission)} (${name.toLowerCase()}): ${describePermission(permission)}`;
  });
  const message = [
    `Plugin "${id}" needs permissions that nobody has decided on:`,
    ...lines,
    `If you agree, run: ${services.howToGrant?.(keys) ?? grantCommand(id, keys)}`,
  ].join('\n');
  return new MmmError('CONSENT_REQUIRED', message, { plugin: id, permissions: missing }, { cause });
}

/** The command that grants exactly these, ready to be pasted into a shell. */
export function grantCommand(plugin: string, keys: readonly string[]): string {
  return ['mmm', 'plugin', 'grant', plugin, ...keys].map(shellWord).join(' ');
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
