import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, InstallOptions } from '@mmm/host';
import { copyFixture } from './fixture-host.ts';

/** What is wrong with a version; `alone` bears no second process of itself, the others break their start. */
export type Fault = 'none' | 'alone' | 'ends' | 'ends-soon' | 'silent';

export interface VersionOptions {
  readonly fault?: Fault;
  readonly exclusive?: boolean;
  /** The name of its one tool. Default: `run`. */
  readonly tool?: string;
  /** Lines at the end of its manifest. */
  readonly more?: string;
}

/** The answer of `tells-its-version`. */
export interface Told {
  readonly version: string;
  readonly number?: number;
}

/** Writes one version of a plugin that tells which it is, signed by the host's own key. Returns its folder. */
export async function versionFolder(
  host: Pick<Host, 'sign'>,
  directory: string,
  name: string,
  version: string,
  { fault = 'none', exclusive = false, tool = 'run', more = '' }: VersionOptions = {},
): Promise<string> {
  rmSync(join(directory, name), { recursive: true, force: true });
  const manifest = `schema = 1

[plugin]
name = "${name}"
version = "${version}"
description = "A fixture"
license = "MIT"
command = ["node", "main.cjs", "${version}", "${fault}"]
exclusive = ${exclusive}

[[capabilities]]
kind = "tool"
name = "${tool}"
${more}
`;
  const folder = copyFixture({ behaviour: 'tells-its-version', name, manifest }, directory);
  await host.sign(folder);
  return folder;
}

/** Makes and installs it. */
export async function installVersion(
  host: Host,
  directory: string,
  name: string,
  version: string,
  options: VersionOptions & { readonly install?: InstallOptions } = {},
) {
  const folder = await versionFolder(host, directory, name, version, options);
  return await host.install(folder, options.install ?? { grantRequested: true });
}
