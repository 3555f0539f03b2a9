import type { ErrorData } from '@mmm/protocol';
import { MmmError } from '@mmm/protocol';
import { printablePath } from './path-rules.ts';

export type ChangeReason = ErrorData['BUNDLE_CHANGED']['reason'];

/** Where the index and the signatures are, relative to the plugin folder. */
export const indexPath = '.mmm/index.json';
export const signaturesPath = '.mmm/signatures.json';

const changes: Readonly<Record<ChangeReason, string>> = {
  missing: 'is listed in the index but is not there',
  unlisted: 'is there but is not listed in the index',
  changed: 'is not what was signed',
  mode: 'was signed with another executable bit or has another mode than the store gives',
  not_a_file: 'is not a plain file of its own: a link, a second name of a file, a device, a pipe or a socket',
};

/** The folder breaks a rule of bundles. `reason` is a clause that fits after the file's name. */
export function invalidBundle(
  directory: string,
  file: string,
  reason: string,
  cause?: unknown,
): MmmError<'BUNDLE_INVALID'> {
  return new MmmError(
    'BUNDLE_INVALID',
    `The folder ${printablePath(directory)} is not a valid bundle: ${printablePath(file)} ${reason}. ` +
      'If the plugin is yours, mend that and sign it again; if not, get it again from its publisher.',
    { directory, file, reason },
    { cause },
  );
}

/** The archive is not one that we would have written. `reason` is a clause that fits after the entry's name. */
export function invalidArchive(
  file: string,
  entry: string,
  reason: string,
  cause?: unknown,
): MmmError<'BUNDLE_INVALID'> {
  const subject = entry === '.' ? 'it' : printablePath(entry);
  return new MmmError(
    'BUNDLE_INVALID',
    `The archive ${printablePath(file)} is not a valid bundle: ${subject} ${reason}. Nothing of it was kept. ` +
      'Get it again from its publisher; if the plugin is yours, make it again with `mmm plugin package`.',
    { directory: file, file: entry, reason },
    { cause },
  );
}

/** The folder or archive is not what its index says. */
export function changedBundle(directory: string, file: string, reason: ChangeReason): MmmError<'BUNDLE_CHANGED'> {
  return new MmmError(
    'BUNDLE_CHANGED',
    `The plugin in ${printablePath(directory)} is not what was signed: ${printablePath(file)} ${changes[reason]}. ` +
      'Do not run it; get it again from its publisher, or sign it again if it is your own.',
    { directory, file, reason },
  );
}
