import { type CapabilityRef, type CapabilitySection, MmmError } from '@mmm/protocol';
import { findCapability } from './call/find-capability.ts';
import type { CallVersion } from './call/invoke.ts';
import { CallRate } from './call/rate.ts';
import type { BundleSchemas } from './call/schema.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { PluginServices } from './plugin-services.ts';
import { suggest } from './source/suggest.ts';
import type { Blueprint } from './supervise/replacement.ts';

/** One version of a plugin, as a handle calls it: what belongs to its manifest and to nothing before or after it. */
export class Generation implements CallVersion {
  readonly spec: PluginSpec;
  readonly services: PluginServices;
  readonly bundle: BundleSchemas;
  readonly #rate: CallRate | undefined;
  readonly #found = new Map<string, CapabilitySection>();

  constructor(spec: PluginSpec, services: PluginServices) {
    this.spec = spec;
    this.services = services;
    this.bundle = {
      key: `${spec.id} ${spec.manifestSha256} ${spec.directory}`,
      readFile: (path) => services.readFile(path),
    };
    const { calls_per_second: callsPerSecond } = services.limits;
    this.#rate = Number.isFinite(callsPerSecond) ? new CallRate(spec.id, callsPerSecond, services.clock) : undefined;
  }

  /** Finding is for people, with suggestions; what was found once is remembered, at most each name and alias. */
  readonly find = (capability: string | CapabilityRef): CapabilitySection => {
    if (typeof capability !== 'string') return findCapability(this.spec, capability, suggest);
    let section = this.#found.get(capability);
    if (section === undefined) {
      section = findCapability(this.spec, capability, suggest);
      this.#found.set(capability, section);
    }
    return section;
  };

  /** Takes account of one call. Throws RATE_LIMITED. */
  takeCall(): void {
    try {
      this.#rate?.take();
    } catch (error) {
      if (MmmError.is(error, 'RATE_LIMITED')) this.services.rateLimited(error);
      throw error;
    }
  }

  /** `onAdopted`: from now on starts are of this one. */
  blueprint(onAdopted: () => void): Blueprint {
    const { supervision, launch, prepare } = this.services;
    return {
      policy: supervision,
      launch: (signal, takeSpare) => launch(signal, takeSpare),
      ...(prepare === undefined ? {} : { prepare }),
      onAdopted,
    };
  }
}
