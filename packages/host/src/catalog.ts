import { MmmError } from '@mmm/protocol';
import { ManifestMemory } from './discover/manifest-memory.ts';
import { type Discovery, discover, type SearchEntry } from './discover/scan.ts';
import type { PluginSpec } from './discover/spec.ts';
import { suggest } from './source/suggest.ts';

/** Which plugins are known: what the search path holds, with the registered ones before them. */
export class Catalog {
  readonly #searchPath: () => readonly SearchEntry[];
  readonly #manifests: ManifestMemory;
  readonly #now: () => number;
  readonly #registered = new Map<string, PluginSpec>();
  #discovery: Promise<Discovery> | undefined;

  /** `searchPath` is asked at each scan. */
  constructor(searchPath: () => readonly SearchEntry[], memoryFile: string, now: () => number) {
    this.#searchPath = searchPath;
    this.#manifests = new ManifestMemory(memoryFile);
    this.#now = now;
  }

  /** The last scan, or the first one. */
  async discovery(): Promise<Discovery> {
    this.#discovery ??= discover(this.#searchPath(), undefined, { manifests: this.#manifests, nowMs: this.#now() });
    const found = await this.#discovery;
    if (this.#registered.size === 0) return found;
    const registered = [...this.#registered.values()];
    const shadowed = found.plugins.filter(({ id }) => this.#registered.has(id));
    return {
      plugins: [...registered, ...found.plugins.filter(({ id }) => !this.#registered.has(id))],
      problems: [
        ...found.problems,
        ...shadowed.map(({ id, directory }) => ({
          kind: 'shadowed' as const,
          plugin: id,
          directory,
          message: `"${id}" in ${directory} is not used: the program itself registered a plugin of this name.`,
        })),
      ],
    };
  }

  /** Forgets the last scan. */
  refresh(): void {
    this.#discovery = undefined;
  }

  /** Throws what its folder was refused for, else PLUGIN_NOT_FOUND with the nearest name. */
  async find(id: string): Promise<PluginSpec> {
    const { plugins, problems } = await this.discovery();
    const spec = plugins.find((plugin) => plugin.id === id);
    if (spec !== undefined) return spec;
    const refused = problems.find((problem) => problem.plugin === id && problem.kind !== 'shadowed');
    if (refused?.error !== undefined) throw refused.error;
    const known = plugins.map((plugin) => plugin.id).sort();
    const near = suggest(id, known);
    const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
    const broken = refused === undefined ? '' : ` ${refused.message}`;
    throw new MmmError('PLUGIN_NOT_FOUND', `There is no plugin "${id}".${broken}${hint}`, { plugin: id, known });
  }

  register(spec: PluginSpec): void {
    if (this.#registered.has(spec.id)) {
      throw new MmmError('PLUGIN_NAME_TAKEN', `A plugin "${spec.id}" is registered already.`, {
        plugin: spec.id,
        directories: [],
      });
    }
    this.#registered.set(spec.id, spec);
  }

  unregister(id: string): boolean {
    return this.#registered.delete(id);
  }
}
