import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MmmError } from '@mmm/protocol';

/** The second line of every hook of ours: what others wrote has another. */
const mark = '# mmm git hook, version 1';
/** What the hook that was there before is called while ours is in its place, which calls it first. */
const keptSuffix = '.before-mmm';

export interface HookFile {
  /** Absolute path. */
  readonly file: string;
  /** Where the hook that was there before lies, which is still called, or null. */
  readonly kept: string | null;
}

/** The text of the hook: first the one that was there before, if there is one, then `command`. */
export function hookScript(command: readonly string[]): string {
  return `#!/bin/sh
${mark}: lets plugins veto a commit. Remove it with: mmm events git-hook remove
if [ -x "$0${keptSuffix}" ]; then "$0${keptSuffix}" "$@" || exit $?; fi
exec ${command.map(quoted).join(' ')}
`;
}

/**
 * Puts our hook in its place in one step, so that no commit meets none. Another one that is there is kept, and is
 * called first; ours is replaced. Throws USAGE when an older one is kept already under that name.
 */
export function installHook(file: string, command: readonly string[]): HookFile {
  const kept = `${file}${keptSuffix}`;
  mkdirSync(dirname(file), { recursive: true });
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined && !isOurs(file)) {
    if (existsSync(kept)) {
      const message = `${file} is not mmm's, and ${kept} is there already. Move one of the two away first.`;
      throw new MmmError('USAGE', message, { argument: file });
    }
    linkSync(file, kept);
  }
  const fresh = join(dirname(file), `.mmm-hook-${process.pid}`);
  writeFileSync(fresh, hookScript(command), { mode: 0o755 });
  // The umask may have taken away what git needs to call it.
  chmodSync(fresh, 0o755);
  renameSync(fresh, file);
  return { file, kept: existsSync(kept) ? kept : null };
}

/** Takes our hook away and puts the one back that was there before. False when the one that is there is not ours. */
export function removeHook(file: string): boolean {
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined || !isOurs(file)) return false;
  const kept = `${file}${keptSuffix}`;
  if (existsSync(kept)) renameSync(kept, file);
  else rmSync(file);
  return true;
}

function isOurs(file: string): boolean {
  try {
    return readFileSync(file, 'utf8').split('\n', 2)[1]?.startsWith(mark) === true;
  } catch {
    return false;
  }
}

/** One word of a POSIX shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
