const kinds: ReadonlyMap<string, LeftOutKind> = new Map([
  ['.git', 'history'],
  ['.hg', 'history'],
  ['.svn', 'history'],
  ['.mmm', 'ours'],
  ['node_modules', 'packages'],
  ['.venv', 'packages'],
  ['__pycache__', 'cache'],
]);
/** Locks, swap files and backups of Emacs, Vim and others. */
const editorFile = /^\.#|^#.*#$|~$|\.sw[a-p]$/;
/** What packaging writes, which is often run inside the folder, and a signature beside it. */
const archive = /\.mmmp(?:\.minisig)?$/;

/** `packages` is what an author may believe to be in the plugin; the rest nobody misses. */
export type LeftOutKind = 'history' | 'ours' | 'packages' | 'cache' | 'editor' | 'archive';

/**
 * Why a file or folder of this name, at whatever depth, is no part of a plugin: histories, installed packages, caches,
 * what editors write beside a file that is open, and archives. `undefined` when it is a part.
 */
export function leftOutKind(name: string): LeftOutKind | undefined {
  if (editorFile.test(name)) return 'editor';
  return archive.test(name) ? 'archive' : kinds.get(name);
}

export function isLeftOut(name: string): boolean {
  return leftOutKind(name) !== undefined;
}
