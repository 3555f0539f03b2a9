import { lstatSync, realpathSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { MmmError, pluginName } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import { diskName } from '../home.ts';
import { hostLimits } from '../limits.ts';
import { type HostFacts, thisHost } from './compatible.ts';
import type { ManifestMemory } from './manifest-memory.ts';
import { choose, type Finding } from './precedence.ts';
import { type PluginOrigin, type PluginSpec, readResolved } from './spec.ts';

/** A folder whose folders are plugins. With origin `path` it may also be one plugin itself. */
export interface SearchEntry {
  readonly directory: string;
  readonly origin: PluginOrigin;
}

/**
 * Why something on the search path is not among the plugins: `broken` and `incompatible` folders, names that two
 * folders of the same rank claim (`duplicate`: neither is used), and plugins that a higher rank hides (`shadowed`).
 */
export interface DiscoveryProblem {
  readonly kind: 'broken' | 'incompatible' | 'duplicate' | 'shadowed';
  readonly plugin?: string;
  readonly directory: string;
  readonly error?: MmmError;
  readonly message: string;
}

export interface Discovery {
  readonly plugins: readonly PluginSpec[];
  readonly problems: readonly DiscoveryProblem[];
}

interface Candidate {
  readonly directory: string;
  readonly origin: PluginOrigin;
  /** The search folder with its links resolved: what a project's plugin must lie in. */
  readonly root: string;
  readonly isLink: boolean;
}

/**
 * Finds the plugins on the search path: by rank, then in the order of the path, then by folder name. Runs nothing of
 * them. Missing folders are fine; a broken plugin or an unreadable folder is a problem of the result. Never rejects.
 */
export async function discover(
  searchPath: readonly SearchEntry[],
  host: HostFacts = thisHost(),
  memory?: { readonly manifests: ManifestMemory; readonly nowMs: number },
): Promise<Discovery> {
  const findings: Finding[] = [];
  const candidates: Candidate[] = [];
  const roots = new Set<string>();
  for (const entry of searchPath) {
    try {
      candidates.push(...(await listCandidates(entry, roots, findings)));
    } catch (error) {
      findings.push(refused(entry, undefined, folderError(entry.directory, codeOf(error))));
    }
  }
  const read = new Array<Finding | undefined>(candidates.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < candidates.length; index = next++) {
      const candidate = candidates[index];
      if (candidate !== undefined) read[index] = await readCandidate(candidate, host, memory);
    }
  };
  await Promise.all(Array.from({ length: hostLimits.discoveryConcurrency }, worker));
  findings.push(...read.filter((finding) => finding !== undefined));
  await memory?.manifests.save();
  return choose(findings);
}

async function listCandidates(
  { directory, origin }: SearchEntry,
  roots: Set<string>,
  findings: Finding[],
): Promise<Candidate[]> {
  let root: string;
  try {
    root = await realpath(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  // The same folder twice, by links or as the project of the user's home, is one folder of its first rank.
  if (roots.has(root)) return [];
  roots.add(root);
  if (origin === 'path' && holdsManifest(root)) return [{ directory: root, origin, root, isLink: false }];
  const entries = await readdir(root, { withFileTypes: true });
  const folders = entries
    .filter((entry) => !entry.name.startsWith('.') && (entry.isDirectory() || entry.isSymbolicLink()))
    .map((entry) => ({ directory: join(root, entry.name), origin, root, isLink: entry.isSymbolicLink() }))
    .sort((left, right) => (left.directory < right.directory ? -1 : 1));
  const most = hostLimits.foldersPerSearchEntry;
  if (folders.length > most) {
    const reason = `it holds ${folders.length} folders; only the first ${most} were looked at`;
    findings.push(refused({ directory, origin }, undefined, folderError(directory, reason)));
  }
  return folders.slice(0, most);
}

function holdsManifest(directory: string): boolean {
  return ['plugin.toml', 'plugin.yaml'].some(
    (name) => lstatSync(join(directory, name), { throwIfNoEntry: false }) !== undefined,
  );
}

async function readCandidate(
  candidate: Candidate,
  host: HostFacts,
  memory: Parameters<typeof discover>[2],
): Promise<Finding | undefined> {
  const { directory, origin } = candidate;
  const expected = origin === 'installed' ? idOf(basename(directory)) : undefined;
  try {
    const resolved = candidate.isLink ? resolveLink(candidate) : directory;
    if (resolved === undefined) return undefined;
    const spec = await readResolved(resolved, origin, host, memory);
    if (origin === 'installed' && diskName(spec.id) !== basename(directory)) {
      const reason = `its manifest says it is "${spec.id}", and only ${diskName(spec.id)} may be called that`;
      throw folderError(directory, reason);
    }
    return { kind: 'read', directory, origin, spec };
  } catch (error) {
    const known = MmmError.is(error, 'PLUGIN_INCOMPATIBLE') ? error.data.plugin : expected;
    if (error instanceof MmmError) return refused(candidate, known, error);
    // A fault of ours in reading one folder must not cost the others.
    return refused(candidate, known, folderError(directory, error instanceof Error ? error.message : String(error)));
  }
}

/** Nothing for a link to a plain file, which is skipped like the file itself. */
function resolveLink({ directory, origin, root }: Candidate): string | undefined {
  let resolved: string;
  try {
    // A thousand installed plugins are a thousand links, and each hop off the thread costs more than the look itself.
    resolved = realpathSync.native(directory);
    if (!lstatSync(resolved).isDirectory()) return undefined;
  } catch (error) {
    throw folderError(directory, `it is a link that leads nowhere (${codeOf(error)})`);
  }
  // A project comes from others, and its links may point anywhere; the other folders are the user's own.
  if (origin === 'project' && !resolved.startsWith(root + sep)) {
    throw folderError(directory, "it is a link out of the project's plugin folder");
  }
  return resolved;
}

function idOf(name: string): string | undefined {
  const id = name.replace('__', '/');
  return pluginName.safeParse(id).success ? id : undefined;
}

function refused({ directory, origin }: SearchEntry, plugin: string | undefined, error: MmmError): Finding {
  return { kind: 'refused', directory, origin, plugin, error };
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES') return 'this user may not read it';
  if (code === 'ENOTDIR') return 'it is not a folder';
  return code ?? message;
}

function folderError(directory: string, reason: string): MmmError<'MANIFEST_UNREADABLE'> {
  const message = `The folder ${safeText(directory, 4096)} cannot be used: ${safeText(reason, 400)}.`;
  return new MmmError('MANIFEST_UNREADABLE', message, { file: directory, reason });
}
