import { realpathSync } from 'node:fs';
import { MmmError } from '@mmm/protocol';

/** The words that start this very program again. Throws INTERNAL when that cannot be told. */
export function programCommand(): readonly string[] {
  const script = process.argv[1];
  if (script === undefined) {
    const detail = 'the script of this process is not known';
    throw new MmmError('INTERNAL', `mmm cannot be started again: ${detail}.`, { detail });
  }
  return [process.execPath, ...process.execArgv, realpathSync(script)];
}
