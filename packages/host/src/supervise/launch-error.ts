import { MmmError } from '@mmm/protocol';

/** For whoever comes after `close`. */
export function hostClosed(): MmmError<'HOST_CLOSED'> {
  return new MmmError('HOST_CLOSED', 'The host was closed; create a new one to call plugins again.', {});
}

/** What everybody who waits for a launch is told. */
export function asMmmError(error: unknown, plugin: string): MmmError {
  if (error instanceof MmmError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new MmmError(
    'INTERNAL',
    `${plugin} could not be started because mmm itself failed: ${detail}`,
    { detail },
    {
      cause: error,
    },
  );
}
