import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { MmmError } from '@mmm/protocol';

/** Where everything of one user lies: `$MMM_HOME`, by default `~/.mmm`. */
export interface Home {
  readonly directory: string;
  readonly plugins: string;
  readonly store: string;
  readonly keys: string;
  readonly trustFile: string;
  readonly stateFile: string;
  readonly audit: string;
  readonly logs: string;
  readonly data: string;
  /** Sockets of this moment; nothing in it outlives its process. */
  readonly run: string;
  /** What users entrusted to plugins: one file a plugin, 0600. */
  readonly secrets: string;
  /** Snapshots of plugins under development, each for as long as it runs. Made when the first one is taken. */
  readonly development: string;
  /** Remembers which signatures were verified, so that a fresh process need not do it again. */
  readonly memoFile: string;
}

/** `/` of `publisher/name` is not allowed in a file name. */
export function diskName(id: string): string {
  return id.replace('/', '__');
}

export function homeAt(directory: string): Home {
  return {
    directory,
    plugins: join(directory, 'plugins'),
    store: join(directory, 'store'),
    keys: join(directory, 'keys'),
    trustFile: join(directory, 'trust.json'),
    stateFile: join(directory, 'state.db'),
    audit: join(directory, 'audit'),
    logs: join(directory, 'logs'),
    data: join(directory, 'data'),
    run: join(directory, 'run'),
    secrets: join(directory, 'secrets'),
    development: join(directory, 'development'),
    memoFile: join(directory, 'verified.json'),
  };
}

/**
 * Makes the home folder and its parts if they are missing, all 0700. Throws HOME_INVALID when the folder is a link or
 * no folder, belongs to another user, or others may write it: whoever can write it decides what runs.
 */
export function openHome(directory: string): Home {
  if (!isAbsolute(directory)) {
    throw new MmmError('HOME_INVALID', `The mmm home "${directory}" must be an absolute path.`, {
      path: directory,
      reason: 'relative',
    });
  }
  const home = homeAt(directory);
  try {
    mkdirSync(dirname(directory), { recursive: true });
    for (const folder of [
      directory,
      home.plugins,
      home.store,
      home.keys,
      home.audit,
      home.logs,
      home.data,
      home.run,
      home.secrets,
    ]) {
      mkdirOwn(folder);
    }
  } catch (error) {
    if (error instanceof MmmError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError('HOME_INVALID', `The mmm home ${directory} cannot be made: ${reason}`, {
      path: directory,
      reason,
    });
  }
  return home;
}

function mkdirOwn(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const stat = lstatSync(folder);
  const uid = process.getuid?.() ?? stat.uid;
  const refuse = (reason: string, fix: string): never => {
    throw new MmmError('HOME_INVALID', `${folder} cannot be used as part of the mmm home: it ${reason}. ${fix}`, {
      path: folder,
      reason,
    });
  };
  if (!stat.isDirectory()) refuse('is not a folder', 'Move it away or choose another home with --home.');
  if (stat.uid !== uid) refuse(`belongs to uid ${stat.uid}, not to you (${uid})`, 'Choose another home with --home.');
  if ((stat.mode & 0o022) !== 0) refuse('may be written by others', `Run: chmod 0700 ${folder}`);
  if ((stat.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}
