import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { MmmError } from '@mmm/protocol';
import { finishRestore } from './backup/finish-restore.ts';
import { safeText } from './display/safe-text.ts';

/** Where everything of one user lies: `$MMM_HOME`, by default `~/.mmm`. */
export interface Home {
  readonly directory: string;
  readonly plugins: string;
  readonly store: string;
  readonly keys: string;
  readonly trustFile: string;
  /** What its user set for the host itself; read when a host opens, and not there by default. */
  readonly settingsFile: string;
  readonly stateFile: string;
  /** Says that this is a home of mmm; the first thing written into a new one. */
  readonly markFile: string;
  readonly audit: string;
  readonly logs: string;
  readonly data: string;
  /** Sockets and processes of this moment; what a host that was killed left in it, the next one clears away. */
  readonly run: string;
  /** What users entrusted to plugins: one file a plugin, 0600. */
  readonly secrets: string;
  /** Snapshots of plugins under development, each for as long as it runs. Made when the first one is taken. */
  readonly development: string;
  /** Manifests of plugins that config.toml lists by their command. Made when the first one is listed. */
  readonly listed: string;
  /** Remembers which signatures were verified, so that a fresh process need not do it again. */
  readonly memoFile: string;
  /** Remembers which manifests were read, so that a scan reads only what changed. */
  readonly manifestsFile: string;
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
    settingsFile: join(directory, 'config.toml'),
    stateFile: join(directory, 'state.db'),
    markFile: join(directory, 'home.json'),
    audit: join(directory, 'audit'),
    logs: join(directory, 'logs'),
    data: join(directory, 'data'),
    run: join(directory, 'run'),
    secrets: join(directory, 'secrets'),
    development: join(directory, 'development'),
    listed: join(directory, 'listed'),
    memoFile: join(directory, 'verified.json'),
    manifestsFile: join(directory, 'manifests.json'),
  };
}

/**
 * Makes the home folder and its parts if they are missing, all 0700. Throws HOME_INVALID when the folder is a link or
 * no folder, belongs to another user, or others may use it: whoever can write it decides what runs. A folder that is
 * there already must be empty or be a home; nothing that mmm did not make changes its mode.
 */
export function openHome(path: string): Home {
  const directory = path.replace(/(?<=.)(?:\/\.?)+$/, '');
  if (!isAbsolute(directory)) {
    const what = path === '' ? 'The path of the mmm home is empty; it' : `The mmm home "${path}"`;
    throw new MmmError('HOME_INVALID', `${what} must be an absolute path.`, { path, reason: 'relative' });
  }
  const home = homeAt(directory);
  const { plugins, store, keys, audit, logs, data, run, secrets } = home;
  try {
    mkdirSync(dirname(directory), { recursive: true });
    if (!madeNow(directory)) checkOwn(directory);
    mark(home);
    finishRestore(directory);
    for (const folder of [plugins, store, keys, audit, logs, data, run, secrets]) {
      if (!madeNow(folder)) checkOwn(folder);
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

/** False when it is there already. */
function madeNow(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function checkOwn(folder: string): void {
  const stat = lstatSync(folder);
  const uid = process.getuid?.() ?? stat.uid;
  if (!stat.isDirectory()) refuse(folder, 'is not a folder', 'Move it away or choose another home (`--home`).');
  if (stat.uid !== uid) {
    refuse(folder, `belongs to uid ${stat.uid}, not to you (${uid})`, 'Choose another home (`--home`).');
  }
  if ((stat.mode & 0o077) === 0) return;
  const how = (stat.mode & 0o022) === 0 ? 'may be read by others' : 'may be written by others';
  refuse(folder, how, `If nobody else uses it, run: chmod 0700 ${shellWord(folder)}`);
}

/**
 * The first thing written into a home. Only a folder with it, or an empty one, is ever filled with the rest; settings
 * may be written before the first start.
 */
function mark({ directory, markFile, stateFile, settingsFile }: Home): void {
  if ([markFile, stateFile].some((file) => lstatSync(file, { throwIfNoEntry: false })?.isFile() === true)) return;
  const [first] = readdirSync(directory).filter((name) => name !== basename(settingsFile));
  if (first !== undefined && lstatSync(markFile, { throwIfNoEntry: false })?.isFile() !== true) {
    const reason = `holds "${safeText(first, 80)}" and was not made by mmm`;
    refuse(directory, reason, 'Choose a folder that is empty or not there yet as the home (`--home`).');
  }
  try {
    writeFileSync(markFile, `${JSON.stringify({ schema: 'mmm.home/1' })}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // Another mmm was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function refuse(folder: string, reason: string, fix: string): never {
  throw new MmmError('HOME_INVALID', `${folder} cannot be used as part of the mmm home: it ${reason}. ${fix}`, {
    path: folder,
    reason,
  });
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
