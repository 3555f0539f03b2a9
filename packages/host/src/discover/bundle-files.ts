import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import type { PathPart, Problem } from '../source/problem.ts';
import { commandFor } from './compatible.ts';

interface Reference {
  readonly path: readonly PathPart[];
  readonly file: string;
}

/**
 * The files a manifest names that are not regular files inside the plugin folder. `directory` has its links resolved;
 * nothing is opened. A link on the way counts as missing: what runs is a copy without links.
 */
export function checkFiles(directory: string, manifest: Manifest, platform: string): Problem[] {
  const problems: Problem[] = [];
  for (const { path, file } of references(manifest, platform)) {
    const reason = outside(file)
      ? 'must be a path inside the plugin folder or the bare name of a program'
      : fault(directory, file);
    if (reason !== undefined) problems.push({ path, message: reason, at: 'value' });
  }
  return problems;
}

function references(manifest: Manifest, platform: string): Reference[] {
  const found: Reference[] = [];
  const add = (path: readonly PathPart[], file: unknown): void => {
    if (typeof file === 'string') found.push({ path, file });
  };
  add(['plugin', 'icon'], manifest.plugin.icon);
  add(['config', 'schema'], manifest.config?.schema);
  manifest.capabilities.forEach((capability, index) => {
    for (const key of ['input', 'output', 'config'] as const) add(['capabilities', index, key], capability[key]);
  });
  const [step] = manifest.install?.command ?? [];
  if (step !== undefined && /[/\\]/.test(step)) add(['install', 'command', 0], step);
  const [program] = commandFor(manifest, platform) ?? [];
  // A bare name is looked for in the system's program folders when the plugin is launched.
  if (program !== undefined && /[/\\]/.test(program)) {
    const own = manifest.targets !== undefined && Object.hasOwn(manifest.targets, platform);
    add(own ? ['targets', platform, 'command', 0] : ['plugin', 'command', 0], program);
  }
  return found;
}

function outside(file: string): boolean {
  return file.startsWith('/') || file.includes('\\') || file.includes('\0') || file.split('/').includes('..');
}

function fault(directory: string, file: string): string | undefined {
  const parts = file.split('/').filter((part) => part !== '' && part !== '.');
  let current = directory;
  for (const [index, part] of parts.entries()) {
    current = join(current, part);
    const shown = `"${safeText(parts.slice(0, index + 1).join('/'))}"`;
    let status: ReturnType<typeof lstatSync>;
    try {
      status = lstatSync(current, { throwIfNoEntry: false });
    } catch (error) {
      return `names ${shown}, which cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`;
    }
    if (status === undefined) return `names ${shown}, which is not in the plugin folder`;
    if (status.isSymbolicLink()) return `names ${shown}, which is a link; a plugin holds only regular files`;
    const last = index === parts.length - 1;
    if (last ? !status.isFile() : !status.isDirectory())
      return `names ${shown}, which is not a ${last ? 'regular file' : 'folder'}`;
  }
  return undefined;
}
