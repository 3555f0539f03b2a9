import { type CapabilityRef, type CapabilitySection, MmmError, passiveKinds } from '@mmm/protocol';
import type { PluginSpec } from '../discover/spec.ts';
import { safeText } from '../display/safe-text.ts';
import type { Suggest } from '../schema/field-issues.ts';

/**
 * The capability that is meant by its name, by `kind:name`, by one of its aliases or by a reference. A name counts
 * before an alias. Throws CAPABILITY_NOT_FOUND, which lists what there is, when nothing or more than one thing is
 * meant, or when it is of a kind that is not executed.
 */
export function findCapability(
  spec: Pick<PluginSpec, 'id' | 'manifest'>,
  wanted: string | CapabilityRef,
  suggest?: Suggest,
): CapabilitySection {
  const plugin = spec.id;
  const { capabilities } = spec.manifest;
  const asked = typeof wanted === 'string' ? wanted : keyOf(wanted);
  const found = candidates(capabilities, wanted);
  const executable = found.filter(({ kind }) => !passiveKinds.has(kind));
  const [first, second] = executable;
  const known = capabilities.map(keyOf);
  const fail = (sentence: string): never => {
    throw new MmmError('CAPABILITY_NOT_FOUND', sentence, { plugin, capability: asked, known });
  };
  const shown = safeText(asked);
  if (second !== undefined) {
    const choices = executable.map((capability) => `"${keyOf(capability)}"`).join(' or ');
    return fail(`"${shown}" of ${plugin} can mean ${choices}. Say which one.`);
  }
  if (first !== undefined) return first;
  const [passive] = found;
  if (passive !== undefined) {
    const how = passive.kind === 'trigger' ? 'it is armed by a mapping and emits events' : 'it is called by events';
    return fail(`"${shown}" of ${plugin} is a ${passive.kind} and cannot be executed: ${how}.`);
  }
  return fail(`${plugin} has no capability "${shown}".${advice(asked, capabilities, suggest)}`);
}

function candidates(
  capabilities: readonly CapabilitySection[],
  wanted: string | CapabilityRef,
): readonly CapabilitySection[] {
  if (typeof wanted !== 'string') {
    return capabilities.filter(({ kind, name }) => kind === wanted.kind && name === wanted.name);
  }
  const byName = capabilities.filter((capability) => capability.name === wanted || keyOf(capability) === wanted);
  if (byName.length > 0) return byName;
  return capabilities.filter(({ aliases, kind }) =>
    aliases?.some((alias) => alias === wanted || `${kind}:${alias}` === wanted),
  );
}

function advice(asked: string, capabilities: readonly CapabilitySection[], suggest?: Suggest): string {
  if (capabilities.length === 0) return ' Its manifest declares none.';
  const words = capabilities.flatMap((capability) => [capability.name, ...(capability.aliases ?? [])]);
  const near = suggest?.(asked.slice(asked.indexOf(':') + 1), words);
  if (near !== undefined) return ` Did you mean "${near}"?`;
  const listed = capabilities.slice(0, 10).map(keyOf).join(', ');
  return ` It has: ${listed}${capabilities.length > 10 ? ', …' : ''}.`;
}

function keyOf({ kind, name }: CapabilityRef): string {
  return `${kind}:${name}`;
}
