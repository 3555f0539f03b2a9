import { lstat, readlink } from 'node:fs/promises';

/** Where this machine keeps its shared libraries: shown read-only to every plugin. */
export interface LibraryLayout {
  readonly folders: readonly string[];
  readonly files: readonly string[];
  /** Links at the top of the file system, as on systems where /lib is /usr/lib. */
  readonly links: readonly TopLevelLink[];
}

export interface TopLevelLink {
  readonly path: string;
  readonly target: string;
}

/** Debian's names for what Node calls the architecture. */
const multiarchNames: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  riscv64: 'riscv64-linux-gnu',
  ppc64: 'powerpc64le-linux-gnu',
  s390x: 's390x-linux-gnu',
};

let remembered: Promise<LibraryLayout> | undefined;

/** Looked up once per process: a machine does not change its layout while we run. */
export function libraryLayout(): Promise<LibraryLayout> {
  remembered ??= findLayout(process.arch);
  return remembered;
}

/**
 * The narrowest folders that hold the libraries: the multiarch folder where there is one, else /usr/lib64, else
 * /usr/lib. Never all of /usr/lib beside a multiarch folder: it holds programs of other packages.
 */
async function findLayout(architecture: string): Promise<LibraryLayout> {
  const links: TopLevelLink[] = [];
  for (const path of ['/bin', '/lib', '/lib64', '/usr/lib64']) {
    const target = await readlink(path).catch(() => undefined);
    if (target !== undefined) links.push({ path, target });
  }
  const multiarch = multiarchNames[architecture] ?? '';
  const narrow = await existing(
    'directory',
    [`/usr/lib/${multiarch}`, `/lib/${multiarch}`].filter(() => multiarch !== ''),
    links,
  );
  const wide = await existing('directory', ['/usr/lib64', '/lib64'], links);
  const folders = [...narrow, ...wide];
  if (folders.length === 0) folders.push(...(await existing('directory', ['/usr/lib', '/lib'], links)));
  const files = await existing(
    'any',
    ['/etc/ld.so.cache', '/etc/ld-musl-x86_64.path', '/usr/lib/locale/C.utf8'],
    links,
  );
  return { folders, files, links };
}

async function existing(
  kind: 'directory' | 'any',
  paths: readonly string[],
  links: readonly TopLevelLink[],
): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    // Below a link it is the same folder under a second name.
    if (links.some((link) => path === link.path || path.startsWith(`${link.path}/`))) continue;
    const status = await lstat(path).catch(() => undefined);
    if (status !== undefined && (kind === 'any' || status.isDirectory())) found.push(path);
  }
  return found;
}

/** True when a path is already visible through the library folders. */
export function isLibraryPath(layout: LibraryLayout, path: string): boolean {
  const link = layout.links.find((candidate) => path.startsWith(`${candidate.path}/`));
  const direct = link === undefined ? path : `/${link.target.replace(/^\//, '')}${path.slice(link.path.length)}`;
  return layout.folders.some((folder) => direct.startsWith(`${folder}/`));
}
