import { type Method, MmmError, type ParamsInput, type Result } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { type CallOrigin, OpenCall } from '../clients/open-calls.ts';
import type { Session } from '../handshake/session.ts';
import type { SessionWait } from '../supervise/waiters.ts';
import { callError, cancelledError, type FailedCall, timeoutError } from './call-error.ts';
import { CallerDeadline } from './deadline.ts';
import type { CallQueue } from './queue.ts';
import { bytesMaxOf, exitReasonOf, orAborted } from './session-end.ts';

export interface RequestOptions {
  /** For all of it, in milliseconds: the wait for a place and for a start included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** False fails with PLUGIN_UNAVAILABLE when the plugin does not run, instead of starting it. Default: true. */
  readonly start?: boolean;
  /**
   * False asks beside its calls instead of as one of them: for a request that only waits, such as `poll_events`, which
   * would otherwise hold one of its `[limits] concurrency` places. Default: true.
   */
  readonly takesPlace?: boolean;
  /** Whose it is. Without one the plugin can ask nobody during it. */
  readonly origin?: CallOrigin;
  /** Told when the request is written, so that the next one can follow it. */
  readonly onSent?: () => void;
}

export interface RequestServices {
  readonly plugin: string;
  session(wait: SessionWait): Promise<Session>;
  /** The session that takes calls now, if there is one. Starts nothing. */
  running(): Session | undefined;
  readonly queue: CallQueue;
  readonly clock: Clock;
}

/**
 * Sends one request of the protocol to a plugin, as a call that is no `execute`: it waits for a place, for a session
 * and for room in the pipe, and is open like a call, so that the plugin is neither idle nor drained meanwhile. Settles
 * once, and rejects with an MmmError: CALL_REJECTED with the number when the plugin answered an error, CALL_TIMEOUT,
 * CALL_CANCELLED, PLUGIN_EXITED, BUSY, RESULT_INVALID, MESSAGE_TOO_LARGE, or what kept the plugin from starting.
 */
export async function request<M extends Method>(
  method: M,
  params: ParamsInput<M>,
  options: RequestOptions,
  services: RequestServices,
): Promise<Result<M>> {
  const { clock, queue } = services;
  const deadline = new CallerDeadline(clock, options.timeoutMs, options.signal);
  const { signal } = deadline;
  const takesPlace = options.takesPlace !== false;
  let session: Session | undefined;
  let waitingFor = 'had no place free';
  const facts = (): FailedCall => factsOf(method, options, services, session);
  try {
    if (takesPlace && !queue.tryEnter(signal)) {
      await queue.enter({ signal, bytes: () => JSON.stringify(params)?.length ?? 0 });
    }
    try {
      waitingFor = 'was not ready';
      session = await sessionOf(options, services, deadline);
      const { connection } = session;
      waitingFor = 'did not read what it was sent';
      while (connection.isFull) await orAborted(connection.room(), signal);
      waitingFor = 'did not answer';
      return await send(method, params, { session, leftMs: deadline.leftMs, clock, ...options });
    } finally {
      if (takesPlace) queue.leave();
    }
  } catch (error) {
    const unavailable = MmmError.is(error, 'PLUGIN_UNAVAILABLE') || MmmError.is(error, 'DEPENDENCY_FAILED');
    if (error instanceof MmmError && !(unavailable && deadline.endedBy === 'deadline')) throw error;
    if (deadline.endedBy === 'caller') throw cancelledError(facts());
    if (deadline.endedBy === 'deadline') throw timeoutError(facts(), waitingFor, error);
    throw await callError(error, facts());
  } finally {
    deadline.end();
  }
}

interface Sending extends RequestOptions {
  readonly session: Session;
  readonly leftMs: number;
  readonly clock: Clock;
}

async function send<M extends Method>(method: M, params: ParamsInput<M>, sending: Sending): Promise<Result<M>> {
  const { session, leftMs, clock, origin, signal } = sending;
  const { connection, openCalls } = session;
  const limits = { timeoutMs: leftMs, timeoutMaxMs: leftMs, ...(signal === undefined ? {} : { signal }) };
  if (origin === undefined) {
    return await connection.call(method, params, { ...limits, onSent: () => sending.onSent?.() });
  }
  const endsAtMs = clock.monotonic() + leftMs;
  const call = new OpenCall(session.plugin.spec.id, connection, { origin, endsAtMs });
  openCalls.open(call);
  const onSent = (id: number): void => {
    call.sent(id);
    sending.onSent?.();
  };
  try {
    return await connection.call(method, params, { ...limits, onSent });
  } finally {
    openCalls.close(call);
  }
}

async function sessionOf(
  { start, signal }: RequestOptions,
  { plugin, running, session }: RequestServices,
  deadline: CallerDeadline,
): Promise<Session> {
  if (start !== false) {
    return await session({ deadlineMs: deadline.leftMs, ...(signal === undefined ? {} : { signal }) });
  }
  const live = running();
  if (live !== undefined) return live;
  const data = { plugin, state: 'stopped', untilMs: null, cause: 'it does not run' };
  throw new MmmError('PLUGIN_UNAVAILABLE', `${plugin} does not run, and was not to be started for this.`, data);
}

function factsOf(
  method: Method,
  { timeoutMs }: RequestOptions,
  { plugin, queue, clock }: RequestServices,
  session: Session | undefined,
): FailedCall {
  return {
    plugin,
    capability: method.name,
    method: method.name,
    timeoutMs,
    queued: queue.queued,
    queuedMax: queue.queuedMax,
    ...(session === undefined ? {} : { bytesMax: bytesMaxOf(session) }),
    exitReason: () => exitReasonOf(session, clock),
  };
}
