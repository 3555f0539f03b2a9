import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createHost, type Host, type HostOptions, signPlugin } from '@mmm/host';
import { tempFolder } from './temp-folder.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'plugins');

export interface Fixture {
  /** The folder below test/fixtures/plugins. */
  readonly behaviour: string;
  /** The plugin's name; the behaviour with "_" when absent. */
  readonly name?: string;
  /** The manifest, or what to put into the usual one: one tool "run" without a schema, started by node. */
  readonly manifest?: string;
  readonly command?: readonly string[];
  /** Lines appended to the usual manifest. */
  readonly more?: string;
  /** Files that are not in the fixture's folder, such as programs: where each lies, by its name in the plugin. */
  readonly files?: Readonly<Record<string, string>>;
  readonly grant?: readonly string[];
}

export interface FixtureHost {
  readonly host: Host;
  readonly home: string;
  readonly directory: string;
}

/**
 * A real host on a home of its own, with the fixtures signed and installed. Closed after the test. `settings` is the
 * text of its config.toml.
 */
export async function fixtureHost(
  t: Pick<TestContext, 'after'>,
  list: readonly (Fixture | string)[],
  options: Partial<HostOptions> & { readonly settings?: string } = {},
): Promise<FixtureHost> {
  let opened: Host | undefined;
  // Hooks run in the order they were given in: plugins that still run write into the folder.
  t.after(() => opened?.close());
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const { settings, ...more } = options;
  if (settings !== undefined) {
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, 'config.toml'), settings, { mode: 0o600 });
  }
  const host = await createHost({ home, ...more });
  opened = host;
  const key = await host.keys.create('test');
  await host.trust.add({ publicKey: key.publicKey, name: 'test', role: 'publisher', scopes: ['*'] }, new Date());
  for (const entry of list) {
    const fixture = typeof entry === 'string' ? { behaviour: entry } : entry;
    const folder = copyFixture(fixture, directory);
    await signPlugin(folder, key);
    await host.install(folder, fixture.grant === undefined ? { grantRequested: true } : { grant: fixture.grant });
  }
  return { host, home, directory };
}

/** Copies a fixture and completes it to a plugin folder. Returns where it lies. */
export function copyFixture(fixture: Fixture, directory: string): string {
  const name = fixture.name ?? fixture.behaviour.replaceAll('-', '_');
  const folder = join(directory, name);
  cpSync(join(fixtures, fixture.behaviour), folder, { recursive: true });
  for (const [path, source] of Object.entries(fixture.files ?? {})) cpSync(source, join(folder, path));
  const manifestFile = join(folder, 'plugin.toml');
  if (fixture.manifest !== undefined) writeFileSync(manifestFile, fixture.manifest);
  else if (!existsSync(manifestFile)) writeFileSync(manifestFile, usualManifest(name, fixture));
  return folder;
}

function usualManifest(name: string, { command = ['node', 'main.cjs'], more = '' }: Fixture): string {
  return `schema = 1

[plugin]
name = "${name}"
version = "1.0.0"
description = "A fixture"
license = "MIT"
command = ${JSON.stringify(command)}

[[capabilities]]
kind = "tool"
name = "run"

${more}
`;
}
