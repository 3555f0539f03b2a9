/** Folders whose owner and mode belong to the system: changing them breaks more than a plugin is worth. */
const systemFolders = ['/bin', '/boot', '/etc', '/lib', '/lib32', '/lib64', '/opt', '/sbin', '/usr', '/var'];
/** Within a system folder, but made for everybody's files. */
const openFolders = ['/var/tmp/'];

/**
 * The command that lets a uid use a granted path, or undefined where it must not be given: for a home as a whole, for
 * its hidden files, which hold keys, and for what belongs to the system.
 */
export function openingCommand(path: string, access: 'read' | 'write', uid: number, home: string): string | undefined {
  if (isTooWide(path, home)) return undefined;
  const quoted = `'${path.replaceAll("'", `'\\''`)}'`;
  return access === 'write' ? `chown -R ${uid}:${uid} ${quoted}` : `chmod -R o+rX ${quoted}`;
}

function isTooWide(path: string, home: string): boolean {
  const isTopLevel = path.lastIndexOf('/') === 0;
  const isHome = [home, '/root'].some((folder) => folder === path || folder.startsWith(`${path}/`));
  const isHidden = path.startsWith(`${home}/.`);
  const isOpen = openFolders.some((folder) => path.startsWith(folder));
  return isTopLevel || isHome || isHidden || (!isOpen && systemFolders.some((folder) => path.startsWith(`${folder}/`)));
}
