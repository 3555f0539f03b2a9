import { hostVersion, type Manifest, MmmError, supportedProtocolVersions } from '@mmm/protocol';
import satisfies from 'semver/functions/satisfies.js';

/** What a plugin must fit. */
export interface HostFacts {
  readonly version: string;
  readonly protocols: readonly number[];
  /** `<os>-<arch>` in Node's names, such as `linux-x64`: the keys of `[targets]`. */
  readonly platform: string;
}

export function thisHost(): HostFacts {
  return {
    version: hostVersion,
    protocols: supportedProtocolVersions,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** Pure. Throws PLUGIN_INCOMPATIBLE, naming what the plugin needs and what this host is. */
export function checkCompatible(manifest: Manifest, host: HostFacts): void {
  const { name, version, mmm, protocol } = manifest.plugin;
  const refuse = (needs: string, has: string, next: string): never => {
    const message = `Plugin "${name}" ${version} needs ${needs}, and this is ${has}. ${next}`;
    throw new MmmError('PLUGIN_INCOMPATIBLE', message, { plugin: name, needs, has });
  };
  // A prerelease of the host counts as the version it leads to, or no plugin could be tried with it.
  if (mmm !== '>=0' && !satisfies(host.version, mmm, { includePrerelease: true })) {
    refuse(
      `mmm ${mmm}`,
      `mmm ${host.version}`,
      `Install a version of the plugin made for mmm ${host.version}, or another mmm.`,
    );
  }
  if (!protocol.some((one) => host.protocols.includes(one))) {
    const has = `an mmm that speaks ${protocolText(host.protocols)}`;
    refuse(protocolText(protocol), has, 'Install a version of the plugin that speaks it, or another mmm.');
  }
  if (manifest.targets !== undefined && commandFor(manifest, host.platform) === undefined) {
    const needs = Object.keys(manifest.targets).join(' or ') || 'a platform that its [targets] do not name';
    refuse(needs, host.platform, `Ask its publisher for a build for ${host.platform}.`);
  }
}

/** The command of `[targets.<platform>]`, otherwise the one of `[plugin]`; nothing for a plugin of prompts only. */
export function commandFor(manifest: Manifest, platform: string): readonly string[] | undefined {
  const { targets, plugin } = manifest;
  if (targets !== undefined && Object.hasOwn(targets, platform)) return targets[platform]?.command;
  return plugin.command;
}

function protocolText(versions: readonly number[]): string {
  return `protocol version ${versions.join(' or ')}`;
}
