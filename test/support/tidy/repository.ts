import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { DeclaredDependencies } from './import-rules.ts';
import { type SourceFile, sourceFile } from './source-file.ts';

export const root = join(import.meta.dirname, '../../..');

const ignoredFolders = new Set(['.git', 'node_modules', 'dist', 'build', 'coverage']);
const sourceFolders = ['packages', 'plugins', 'scripts', 'demo', 'bench', 'chaos', 'test'];

/** Every file that is or would be committed: git's list, or all files where there is no git. */
export function repositoryFiles(): string[] {
  const git = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  });
  const listed = git.status === 0 ? git.stdout.split('\0').filter((path) => path !== '') : walk(root);
  return listed.filter((path) => existsSync(join(root, path))).sort();
}

export function sourceFiles(paths: readonly string[]): SourceFile[] {
  return paths
    .filter((path) => sourceFolders.includes(path.split('/')[0] ?? '') && /\.(?:ts|mjs|cjs|js|py)$/.test(path))
    .map((path) => sourceFile(path, readFileSync(join(root, path), 'utf8')));
}

/** Of each folder with a package.json, and of the root under the empty name, what it says it needs. */
export function declaredDependencies(paths: readonly string[]): DeclaredDependencies {
  const folders = paths
    .filter((path) => /^(?:(?:packages|plugins)\/[^/]+\/)?package\.json$/.test(path))
    .map((path) => path.replace(/\/?package\.json$/, ''));
  return new Map(
    folders.map((folder) => {
      const { dependencies, devDependencies, peerDependencies } = readJson(join(folder, 'package.json'));
      const all = { ...asObject(dependencies), ...asObject(devDependencies), ...asObject(peerDependencies) };
      return [folder, new Set(Object.keys(all))];
    }),
  );
}

/** What starts by itself: what package.json files export, and the programs. */
export function entryFiles(paths: readonly string[]): Set<string> {
  const entries = new Set(paths.filter((path) => /^(?:packages\/cli|plugins\/[^/]+)\/src\/main\.ts$/.test(path)));
  for (const path of paths.filter((name) => /^packages\/[^/]+\/package\.json$/.test(name))) {
    for (const conditions of Object.values(asObject(readJson(path).exports))) {
      const source = asObject(conditions)['mmm-source'];
      if (typeof source === 'string') entries.add(join(path, '..', source));
    }
  }
  return entries;
}

export function readJson(path: string): Record<string, unknown> {
  return asObject(JSON.parse(readFileSync(join(root, path), 'utf8')));
}

export function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function isExecutable(path: string): boolean {
  return existsSync(join(root, path)) && (statSync(join(root, path)).mode & 0o111) !== 0;
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ignoredFolders.has(entry.name) ? [] : walk(path);
    return entry.isFile() ? [relative(root, path)] : [];
  });
}
