import { MmmError } from '@mmm/protocol';
import type { PermittedPlugin } from '../permit/permitted.ts';
import type { SandboxProbe } from './probe.ts';

/**
 * Refuses a plugin that this machine cannot confine as it must be: as its manifest demands, and wholly unless its user
 * said that Landlock will do. Throws SANDBOX_UNAVAILABLE.
 */
export function refuseUnmet(plugin: PermittedPlugin, probe: SandboxProbe, allowLandlock: boolean): void {
  const { id, manifest } = plugin.spec;
  const wanted = manifest.plugin.sandbox;
  if (wanted === 'wasm' || wanted === 'container') {
    const reason = `this host has no level "${wanted}".`;
    throw unavailable(id, wanted, reason, 'Ask its author for level "process".');
  }
  if (probe.mechanism === 'bubblewrap') return;
  const reason = probe.bubblewrap.reason ?? 'no sandbox works on this machine.';
  const advice = probe.advice === undefined ? '' : `To mend it: ${probe.advice}`;
  if (probe.mechanism === 'none') throw unavailable(id, 'process', reason, advice);
  if (allowLandlock) return;
  const landlock = `Landlock works and keeps less from it: to run it so, add \`--landlock ${id}\`.`;
  throw unavailable(id, 'process', reason, advice === '' ? landlock : `${advice}. ${landlock}`);
}

/** Refuses what needs mounts or a network of its own. Throws SANDBOX_UNAVAILABLE. */
export function refuseBeyondLandlock({ spec, granted }: PermittedPlugin, hidden: readonly string[]): void {
  const kinds = { network: 'hosts', devices: 'devices' } as const;
  const kind = (['network', 'devices'] as const).find((name) => granted.some((permission) => permission.kind === name));
  const fix = 'It takes bubblewrap; `mmm doctor` says why that does not work here.';
  if (kind !== undefined) {
    throw unavailable(spec.id, kind, `it was granted ${kinds[kind]}, which Landlock cannot give it.`, fix);
  }
  const [first] = hidden;
  if (first === undefined) return;
  const reason = `it was granted a folder around ${first}, which Landlock cannot take out of it.`;
  throw unavailable(spec.id, 'filesystem', reason, `Grant a narrower folder. ${fix}`);
}

export function unavailable(plugin: string, wanted: string, reason: string, fix: string): MmmError {
  const must = wanted === 'network' || wanted === 'devices' || wanted === 'filesystem' ? '' : demand(wanted);
  const sentence = `Plugin "${plugin}" was not started: ${must}${reason} ${fix}`.trim();
  return new MmmError('SANDBOX_UNAVAILABLE', sentence, { plugin, wanted, reason });
}

function demand(level: string): string {
  return `it must run at sandbox level "${level}", but `;
}
