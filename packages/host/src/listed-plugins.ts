import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ListedPlugin } from './api-settings.ts';
import type { Discovery, SearchEntry } from './discover/scan.ts';
import type { PluginSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import type { LiveSettings } from './settings/live-settings.ts';
import type { ListedPluginSection } from './settings/plugins.ts';
import type { Settings } from './settings/settings.ts';

/**
 * The plugins that config.toml lists. One that is listed by its folder is found there; for one that is listed by its
 * command a folder is made that holds its manifest and nothing else. From there on both are like any other plugin:
 * verified, permitted, copied into the store and confined.
 */
export class ListedPlugins {
  readonly #home: Pick<Home, 'listed'>;
  readonly #live: LiveSettings;

  constructor(home: Pick<Home, 'listed'>, live: LiveSettings) {
    this.#home = home;
    this.#live = live;
    this.#prepare(live.current);
    live.onChange((settings) => this.#prepare(settings));
  }

  /** Where they are found. */
  searchEntries(): readonly SearchEntry[] {
    return this.#all.map((listed) => ({ directory: this.#folderOf(listed), origin: 'path' }));
  }

  /** The name under which a folder may run unsigned, because its entry says so; null for every other one. */
  exceptionOf({ id, origin, directory }: Pick<PluginSpec, 'id' | 'origin' | 'directory'>): string | null {
    const listed = this.#all.find(({ name }) => name === id);
    if (origin !== 'path' || listed === undefined || directory !== this.#folderOf(listed)) return null;
    return listed.allow_unsigned === id ? id : null;
  }

  /** Each with why it is not in use. */
  report({ plugins, problems }: Discovery): readonly ListedPlugin[] {
    return this.#all.map((listed) => {
      const { name, start } = listed;
      const folder = this.#folderOf(listed);
      const used = plugins.find(({ id }) => id === name);
      if (used?.origin === 'path') return { plugin: name, start, problem: null };
      const known = problems.find(({ plugin, directory }) => plugin === name || directory === folder);
      const there = plugins.find(({ directory, origin }) => origin === 'path' && directory === folder);
      const problem = known?.message ?? (there && `the plugin in ${folder} is called "${there.id}"`);
      return { plugin: name, start, problem: problem ?? `there is no plugin in ${folder}` };
    });
  }

  get #all(): readonly ListedPluginSection[] {
    return this.#live.current.plugins ?? [];
  }

  #folderOf({ name, path }: ListedPluginSection): string {
    return path ?? join(this.#home.listed, diskName(name));
  }

  #prepare({ plugins = [] }: Settings): void {
    const programs = plugins.filter(({ command }) => command !== undefined);
    const { listed: parent } = this.#home;
    if (programs.length > 0) mkdirSync(parent, { recursive: true, mode: 0o700 });
    for (const program of programs) writeManifest(this.#folderOf(program), program);
    const wanted = new Set(programs.map(({ name }) => diskName(name)));
    for (const name of foldersIn(parent)) {
      if (!wanted.has(name)) rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
}

/** JSON is YAML. Written only when it differs, and as a whole: another host may read it now. */
function writeManifest(folder: string, { name, command, capabilities, permissions }: ListedPluginSection): void {
  const manifest = {
    schema: 1,
    plugin: { name, version: '0.0.0', description: `Listed in config.toml`, license: 'UNLICENSED', command },
    capabilities,
    permissions,
  };
  const file = join(folder, 'plugin.yaml');
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (textOf(file) === text) return;
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function foldersIn(parent: string): readonly string[] {
  try {
    return readdirSync(parent);
  } catch {
    return [];
  }
}
