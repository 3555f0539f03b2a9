import { type ExitReason, wireLimits } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';

/** Waits for something that always happens some time, or rejects with the signal's reason before that. */
export async function orAborted<T>(happens: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await happens;
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([happens, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * How the session ended, as soon as that is known. The pipe closes before the process is gone, and one that lives on
 * without it is ended by its session.
 */
export async function exitReasonOf(session: Session | undefined, clock: Clock): Promise<ExitReason> {
  const unknown: ExitReason = { kind: 'protocol', detail: 'it closed its standard output', stderrTail: '' };
  if (session === undefined) return unknown;
  const known = new AbortController();
  const lateMs = hostLimits.closedPipeGraceMs + hostLimits.settleAfterExitMs;
  const late = clock.sleep(lateMs, known.signal).then(
    () => unknown,
    () => unknown,
  );
  const reason = await Promise.race([session.exited, late]);
  known.abort();
  return reason;
}

/** The largest message this plugin may send or get, in bytes. */
export function bytesMaxOf(session: Session): number {
  const asked = session.plugin.spec.manifest.limits.message_mb;
  return asked === undefined ? wireLimits.messageBytes : asked * 1024 * 1024;
}
