import { join } from 'node:path';
import type { SearchEntry } from './scan.ts';

export interface SearchFolders {
  /** `$MMM_HOME`. */
  readonly home: string;
  readonly project?: string | undefined;
  /** The user's home folder; XDG's defaults lie below it. */
  readonly userHome?: string | undefined;
  /** `$XDG_CONFIG_HOME` and `$XDG_DATA_HOME`; relative ones are ignored, as the XDG specification says. */
  readonly configHome?: string | undefined;
  readonly dataHome?: string | undefined;
}

/** Where plugins are looked for, highest precedence first: installed, project, user (XDG), system. */
export function defaultSearchPath(folders: SearchFolders): readonly SearchEntry[] {
  const { home, project, userHome } = folders;
  const entries: SearchEntry[] = [{ directory: join(home, 'plugins'), origin: 'installed' }];
  if (project !== undefined) entries.push({ directory: join(project, '.mmm', 'plugins'), origin: 'project' });
  for (const folder of [
    xdg(folders.configHome, userHome, '.config'),
    xdg(folders.dataHome, userHome, '.local/share'),
  ]) {
    if (folder !== undefined) entries.push({ directory: join(folder, 'mmm', 'plugins'), origin: 'user' });
  }
  entries.push({ directory: '/usr/local/lib/mmm/plugins', origin: 'system' });
  // In the user's home folder the project's `.mmm/plugins` is the installed one.
  return entries.filter(
    ({ directory }, index) => entries.findIndex((entry) => entry.directory === directory) === index,
  );
}

function xdg(value: string | undefined, userHome: string | undefined, fallback: string): string | undefined {
  if (value?.startsWith('/') === true) return value;
  return userHome === undefined ? undefined : join(userHome, fallback);
}
