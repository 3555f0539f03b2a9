/** Says of a path below the watched folder, with `/` between its parts, whether one of the globs names it. */
export type PathMatcher = (path: string) => boolean;

/**
 * `**` is any number of folders, `*` any part of one name, `?` one character; a glob without `/` names what lies in any
 * folder.
 */
export function pathMatcher(globs: readonly string[]): PathMatcher {
  const patterns = globs.map((glob) => new RegExp(`^${source(glob.includes('/') ? glob : `**/${glob}`)}$`, 'su'));
  return (path) => patterns.some((pattern) => pattern.test(path));
}

const token = /\*\*\/|\/\*\*$|\*+|\?|[^*?/]+|\//g;

function source(glob: string): string {
  return [...glob.matchAll(token)]
    .map(([part]) => {
      if (part === '**/') return '(?:.*/)?';
      if (part === '/**') return '/.*';
      if (part.startsWith('*')) return part.length > 1 ? '.*' : '[^/]*';
      return part === '?' ? '[^/]' : part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    })
    .join('');
}
