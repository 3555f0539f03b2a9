import { splitPath } from './archive/tar-header.ts';
import { bundleLimits } from './limits.ts';

/** Names that Windows gives to devices, whatever extension follows. */
const deviceName = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]) *(?:\.|$)/i;
const printable = /^[\x20-\x7e]+$/;
const forbidden = /[\\:*?"<>|]/;

/**
 * Says why a path may not stand in a bundle: `undefined` if it may. The rules are those of every file system a plugin
 * may be unpacked on, so that a bundle means the same files everywhere. The sentence fits after "it".
 */
export function checkPath(path: string): string | undefined {
  if (path.length > bundleLimits.pathCharacters) return `has more than ${bundleLimits.pathCharacters} characters`;
  if (!printable.test(path)) return 'has characters other than printable ASCII';
  if (forbidden.test(path)) return 'has one of the characters \\ : * ? " < > |';
  const components = path.split('/');
  if (components.length > bundleLimits.pathComponents) {
    return `is more than ${bundleLimits.pathComponents} folders deep`;
  }
  if (splitPath(path) === undefined) return 'has a name of more than 100 characters, or folders of more than 155';
  for (const component of components) {
    const problem = checkComponent(component);
    if (problem !== undefined) return problem;
  }
  // `.MMM` would be our own folder on a file system that does not tell case apart.
  if (components[0]?.toLowerCase() === '.mmm') return 'is in .mmm, which is reserved';
  return undefined;
}

function checkComponent(component: string): string | undefined {
  if (component === '') return 'has an empty component';
  if (component === '.' || component === '..') return 'has a dot segment';
  if (component.endsWith('.') || component.endsWith(' ')) return 'has a component that ends with a dot or a space';
  if (deviceName.test(component)) return 'has a component that is a device name on Windows';
  return undefined;
}

/**
 * Finds two paths that could not both exist everywhere: spelt alike but for case, folders included, or one a file
 * where the other needs a folder.
 */
export function findCollision(paths: Iterable<string>): { path: string; problem: string } | undefined {
  const files = new Set<string>();
  const folders = new Map<string, string>();
  for (const path of paths) {
    const folded = path.toLowerCase();
    if (files.has(folded)) return { path, problem: 'is there twice, spelt alike but for case' };
    files.add(folded);
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at);
      const known = folders.get(folder.toLowerCase());
      if (known !== undefined && known !== folder) {
        return { path, problem: `is in a folder that is also spelt ${known}` };
      }
      folders.set(folder.toLowerCase(), folder);
    }
  }
  for (const path of files) {
    if (folders.has(path)) return { path, problem: 'is both a file and a folder' };
  }
  return undefined;
}

/** A path from a stranger's folder, safe to print: whatever is not printable ASCII is escaped, and it is cut. */
export function printablePath(path: string): string {
  const escaped = path
    .slice(0, bundleLimits.pathCharacters)
    .replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
  return path.length > bundleLimits.pathCharacters ? `${escaped}…` : escaped;
}
