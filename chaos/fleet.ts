import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHost, type Host, type HostOptions, type Plugin, signPlugin } from '@mmm/host';

/** The same plugin in three languages: they misbehave alike, and their runtimes each in their own way. */
interface Language {
  readonly name: string;
  readonly source: string;
  readonly command: readonly string[];
}

const native: Language = { name: 'C', source: 'victim', command: ['./victim'] };
const python: Language = { name: 'Python', source: 'victim.py', command: ['python3', 'victim.py'] };
const node: Language = { name: 'JavaScript', source: 'victim.cjs', command: ['node', 'victim.cjs'] };
/** By turns: most plugins are native ones, which start in no time and so take the most faults. */
const mix: readonly Language[] = [native, python, native, node, native];

export interface FleetOptions {
  /** An empty folder for everything that is made. */
  readonly folder: string;
  readonly plugins: number;
  /** Content of config.toml. Default: none, and every number is the host's own. */
  readonly settings?: string;
  readonly clock?: NonNullable<HostOptions['clock']>;
}

export interface Fleet {
  readonly host: Host;
  readonly plugins: readonly Plugin[];
  /** How many there are in which language. */
  readonly languages: string;
  /** The tags of the calls that this plugin took in hand, in order, one a line. */
  executedFile(plugin: Plugin): string;
}

/** A host on a home of its own with that many signed plugins, all of them confined and none of them started. */
export async function openFleet({ folder, plugins: count, settings, clock }: FleetOptions): Promise<Fleet> {
  const home = join(folder, 'home');
  if (settings !== undefined) await writeSettings(home, settings);
  const host = await createHost({ home, ...(clock === undefined ? {} : { clock }) });
  const key = await host.keys.create('chaos');
  await host.trust.add({ publicKey: key.publicKey, name: 'chaos', role: 'publisher', scopes: ['*'] }, new Date());
  compileVictim(folder);
  const plugins: Plugin[] = [];
  const languages = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const language = mix[index % mix.length] ?? native;
    languages.set(language.name, (languages.get(language.name) ?? 0) + 1);
    // The process id makes the names of two runs at the same time different.
    const name = `chaos-${process.pid}-${String(index).padStart(2, '0')}`;
    const source = join(folder, name);
    mkdirSync(source);
    const from = language === native ? join(folder, 'victim') : join(import.meta.dirname, 'plugins', language.source);
    cpSync(from, join(source, language.source));
    writeFileSync(join(source, 'plugin.toml'), manifest(name, language));
    await signPlugin(source, key);
    await host.install(source, { grantRequested: true });
    plugins.push(await host.plugin(name));
  }
  return {
    host,
    plugins,
    languages: [...languages].map(([name, many]) => `${many} in ${name}`).join(', '),
    executedFile: (plugin) => join(home, 'data', plugin.id, 'executed'),
  };
}

/** A home is made by a host; what its user wants is written into it then, as everybody does it. */
async function writeSettings(home: string, settings: string): Promise<void> {
  await (await createHost({ home })).close();
  writeFileSync(join(home, 'config.toml'), settings, { mode: 0o600 });
}

/** One tool that may be called again when its plugin died under it, and one that may not. */
const manifest = (name: string, { command }: Language): string => `schema = 1

[plugin]
name = "${name}"
version = "1.0.0"
description = "Misbehaves as it is told"
license = "MIT"
command = ${JSON.stringify(command)}

[[capabilities]]
kind = "tool"
name = "once"

[[capabilities]]
kind = "tool"
name = "again"
idempotent = true
`;

function compileVictim(folder: string): void {
  const source = join(import.meta.dirname, 'plugins', 'victim.c');
  const { status, stderr } = spawnSync('cc', ['-O1', '-o', join(folder, 'victim'), source], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The native plugin could not be compiled: ${stderr ?? 'there is no cc'}`);
}
