import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { bundlePath, MmmError, permissionEntries } from '@mmm/protocol';
import { type ExecutableFile, inspectExecutable } from './executable-file.ts';
import { isLibraryPath, type LibraryLayout } from './library-layout.ts';
import type { Mount } from './mount.ts';

/** Where programs are looked for, and under which paths the plugin will see what was found. */
export interface ProgramSearch {
  readonly plugin: string;
  readonly bundleDirectory: string;
  readonly nodePath: string;
  readonly programPath: readonly string[];
  readonly layout: LibraryLayout;
  /** `/plugin` and `/usr/bin/node` in the sandbox; the real paths without one. */
  readonly view: { readonly bundle: string; readonly node: string };
}

export interface FoundProgram {
  readonly argv: readonly string[];
  /** The program, its interpreters and what those need: to be made visible read-only. */
  readonly mounts: readonly Mount[];
}

/** A script's interpreter may be a script again; deeper chains are a mistake, and the kernel stops at five. */
const interpreterDepthMax = 4;

/** Folders that an interpreter reads beside its libraries. A trailing `*` stands for the rest of one name. */
const interpreterFolders: readonly { readonly program: RegExp; readonly folders: readonly string[] }[] = [
  {
    program: /^\/usr\/local\/.*\/python3?(?:\.\d+)?$/,
    folders: ['/usr/local/lib/python3*', '/usr/local/lib/libpython3*'],
  },
  { program: /\/python3?(?:\.\d+)?$/, folders: ['/usr/lib/python3*', '/usr/lib64/python3*'] },
  { program: /\/git$/, folders: ['/usr/lib/git-core', '/usr/libexec/git-core', '/usr/share/git-core'] },
  { program: /\/perl$/, folders: ['/usr/share/perl', '/usr/share/perl5', '/usr/lib/perl5'] },
  { program: /\/ruby(?:\d[\d.]*)?$/, folders: ['/usr/lib/ruby', '/usr/share/ruby*'] },
];

/** What may be looked up on the program path and shown under /usr/bin: never anything with a `/` or a `..`. */
const bareName = permissionEntries.commands.shape.name;
/** A bundle names its own loader, and what it names is shown to it: so it can only be one, where loaders are. */
const loaderPath = /^\/(?:(?:usr\/(?:local\/)?)?lib\w*|nix\/store|gnu\/store)\/(?:[^/\0]+\/)*ld[\w.-]*\.so(?:\.\d+)*$/;

/** Finds what `command` starts. Throws PROGRAM_NOT_FOUND naming the folders searched, or LAUNCH_FAILED. */
export async function findProgram(command: readonly string[], search: ProgramSearch): Promise<FoundProgram> {
  const [program = '', ...rest] = command;
  const inBundle = await bundleFile(program, search);
  const found = inBundle === undefined ? await hostProgram(program, search, 0) : await launchable(inBundle, search, 0);
  return { argv: [...found.argv, ...rest], mounts: unique(found.mounts) };
}

/**
 * What a granted program needs to be visible under /usr/bin. Its script interpreters stay where their scripts name
 * them.
 */
export async function findCommand(name: string, search: ProgramSearch): Promise<readonly Mount[]> {
  const found = await hostProgram(name, search, 0);
  const mounts = [...found.mounts];
  const first = mounts[0];
  const file = first === undefined ? undefined : await inspectExecutable(first.source);
  if (file?.kind === 'script') mounts.push(...(await showAt(file.interpreter)));
  return unique(mounts);
}

async function showAt(path: string): Promise<Mount[]> {
  const source = await realpath(path).catch(() => undefined);
  return source === undefined ? [] : [readOnly(source, normalize(path))];
}

interface HostFile {
  readonly source: string;
  readonly inside: string;
  readonly mounts: readonly Mount[];
}

/** A path with a slash, or a bare name that is a file of the bundle: run from there. */
async function bundleFile(program: string, search: ProgramSearch): Promise<HostFile | undefined> {
  const path = program.replace(/^(?:\.\/)+/, '');
  const isPath = program.includes('/');
  if (!bundlePath.safeParse(path).success) {
    const searched = [search.bundleDirectory];
    throw notFound(
      search.plugin,
      program,
      searched,
      'It must be a path inside the plugin folder or the bare name of a program.',
    );
  }
  const bundle = await realpath(search.bundleDirectory);
  const source = await realpath(join(bundle, path)).catch(() => undefined);
  const isInside = source?.startsWith(`${bundle}/`) === true;
  const status = source === undefined || !isInside ? undefined : await stat(source).catch(() => undefined);
  if (source === undefined || status?.isFile() !== true) {
    if (isPath)
      throw notFound(search.plugin, program, [search.bundleDirectory], 'Build the plugin, or correct command[0].');
    return undefined;
  }
  if ((status.mode & 0o111) === 0) {
    if (!isPath) return undefined;
    throw launchFailed(
      search.plugin,
      `"${program}" is not executable`,
      'Run `chmod +x` on it and sign the plugin again.',
    );
  }
  return { source, inside: join(search.view.bundle, path), mounts: [] };
}

/** A bare name on the program path. `node` is always the host's own. */
async function hostProgram(name: string, search: ProgramSearch, depth: number): Promise<FoundProgram> {
  if (!bareName.safeParse(name).success) {
    const fix = 'Name a program by its bare name in command[0], in the "#!" line and after `env`.';
    throw launchFailed(search.plugin, `${JSON.stringify(name)} is not the bare name of a program`, fix);
  }
  if (name === 'node') {
    const source = await realpath(search.nodePath);
    return launchable({ source, inside: search.view.node, mounts: [readOnly(source, '/usr/bin/node')] }, search, depth);
  }
  for (const folder of search.programPath) {
    const path = join(folder, name);
    const source = await realpath(path).catch(() => undefined);
    const status = source === undefined ? undefined : await stat(source).catch(() => undefined);
    if (source === undefined || status?.isFile() !== true || (status.mode & 0o111) === 0) continue;
    const mounts = [path, source, `/usr/bin/${name}`].map((target) => readOnly(source, target));
    mounts.push(...(await foldersFor([path, source])));
    return launchable({ source, inside: path, mounts }, search, depth);
  }
  const fix = `Install it, for example with the package that provides "${name}", or ship it in the plugin folder.`;
  throw notFound(search.plugin, name, search.programPath, fix);
}

/** Adds the loader of a binary, or puts the interpreter of a script in front of it. */
async function launchable(file: HostFile, search: ProgramSearch, depth: number): Promise<FoundProgram> {
  const executable = await inspectExecutable(file.source);
  if (executable.kind === 'elf') {
    return { argv: [file.inside], mounts: [...file.mounts, ...(await loaderMounts(executable.loader, search))] };
  }
  if (executable.kind === 'unknown') {
    const fix = 'Give a script a first line such as `#!/usr/bin/env python3`, or name its interpreter in command[0].';
    throw launchFailed(search.plugin, `"${file.inside}" is neither a Linux binary nor a script with "#!"`, fix);
  }
  if (depth >= interpreterDepthMax) {
    throw launchFailed(
      search.plugin,
      `"${file.inside}" has a chain of interpreters`,
      'Name a binary in its "#!" line.',
    );
  }
  const { name, argumentsBefore } = interpreterOf(executable);
  const interpreter = await hostProgram(name, search, depth + 1);
  return {
    argv: [...interpreter.argv, ...argumentsBefore, file.inside],
    mounts: [...file.mounts, ...interpreter.mounts],
  };
}

/** The program a `#!` line means, looked up by its name: a script may not reach for a program in any other folder. */
function interpreterOf(script: Extract<ExecutableFile, { kind: 'script' }>): {
  name: string;
  argumentsBefore: string[];
} {
  const name = basename(script.interpreter);
  if (name !== 'env') return { name, argumentsBefore: script.argument === null ? [] : [script.argument] };
  const words = (script.argument ?? '')
    .split(/\s+/)
    .filter((word) => word !== '' && word !== '-S' && word !== '--split-string');
  return { name: words[0] ?? 'env', argumentsBefore: words.slice(1) };
}

async function loaderMounts(loader: string | null, search: ProgramSearch): Promise<Mount[]> {
  if (loader === null) return [];
  if (!loaderPath.test(loader) || normalize(loader) !== loader) {
    const reason = `its program names ${JSON.stringify(loader)} as its loader, which is none`;
    throw launchFailed(search.plugin, reason, 'Build it for the C library of this machine, or link it statically.');
  }
  if (isLibraryPath(search.layout, loader)) return [];
  const source = await realpath(loader).catch(() => undefined);
  if (source === undefined) {
    const fix = 'The program was built for another C library; build it for this one, or link it statically.';
    throw notFound(search.plugin, loader, [dirname(loader)], fix);
  }
  return [readOnly(source, loader)];
}

async function foldersFor(paths: readonly string[]): Promise<Mount[]> {
  const wanted = interpreterFolders.filter(({ program }) => paths.some((path) => program.test(path)));
  const mounts: Mount[] = [];
  for (const pattern of wanted.flatMap(({ folders }) => folders)) {
    for (const path of await expand(pattern)) mounts.push(readOnly(await realpath(path), path));
  }
  return mounts;
}

async function expand(pattern: string): Promise<string[]> {
  if (!pattern.endsWith('*')) return (await stat(pattern).catch(() => undefined)) === undefined ? [] : [pattern];
  const folder = dirname(pattern);
  const prefix = basename(pattern).slice(0, -1);
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => join(folder, name));
}

function readOnly(source: string, target: string): Mount {
  return { source, target, writable: false };
}

function unique(mounts: readonly Mount[]): Mount[] {
  return [...new Map(mounts.map((mount) => [mount.target, mount])).values()];
}

function notFound(plugin: string, program: string, searched: readonly string[], fix: string): MmmError {
  const places = searched.join(', ');
  return new MmmError(
    'PROGRAM_NOT_FOUND',
    `Plugin "${plugin}" starts "${program}", which was not found in ${places}. ${fix}`,
    { plugin, program, searched },
  );
}

function launchFailed(plugin: string, reason: string, fix: string): MmmError {
  return new MmmError('LAUNCH_FAILED', `Plugin "${plugin}" cannot be started: ${reason}. ${fix}`, {
    plugin,
    stage: 'sandbox',
    reason,
    stderrTail: '',
  });
}
