import {
  type CapabilityRef,
  type CapabilitySection,
  type ExitReason,
  MmmError,
  type ProgressValue,
  pluginMethods,
  RpcError,
  wireLimits,
} from '@mmm/protocol';
import type { CallOptions, Clock } from '@mmm/rpc';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { SessionWait } from '../supervise/waiters.ts';
import { type CallContextFields, callContextOf } from './call-context.ts';
import { callError, cancelledError, type FailedCall, timeoutError } from './call-error.ts';
import { CallerDeadline } from './deadline.ts';
import type { CallQueue } from './queue.ts';
import type { BundleSchemas, SchemaSubject, SchemaValidator } from './schema.ts';

export interface InvokeOptions {
  /**
   * The caller's own deadline in milliseconds, time in queues and for starting included. Default: none; then the
   * capability's `timeout_s` or 30 s of silence decide, and 10 minutes (or `timeout_s`, if longer) in all.
   */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (value: ProgressValue) => void;
  /** Fails with PLUGIN_UNAVAILABLE instead of waiting for the restart of a crashed plugin. */
  readonly failFast?: boolean;
}

export interface InvokeRequest {
  readonly plugin: string;
  readonly capability: CapabilitySection;
  readonly input: unknown;
  readonly context: CallContextFields;
  readonly options?: InvokeOptions;
}

export interface InvokeServices {
  session(wait: SessionWait): Promise<Session>;
  readonly queue: CallQueue;
  readonly schemas: SchemaValidator;
  readonly bundle: BundleSchemas;
  readonly metrics: {
    called(plugin: string, call: { readonly ok: boolean; readonly durationMs: number; readonly atMs: number }): void;
  };
  readonly clock: Clock;
}

export interface InvokeResult {
  readonly output: unknown;
  /** From the call of `invoke` to its answer, everything included. */
  readonly durationMs: number;
}

/**
 * Runs one capability: checks the input, waits for a turn, for a session, and for the checked answer. Always settles,
 * and rejects with an MmmError. An input that does not match is refused before the plugin is started; every other call
 * is counted exactly once. A call of a capability declared idempotent is made once more when the plugin ended under it,
 * unless parts of its answer were passed on already.
 */
export async function invoke(request: InvokeRequest, services: InvokeServices): Promise<InvokeResult> {
  const { clock, metrics, schemas } = services;
  const { plugin, capability, options = {} } = request;
  const deadline = new CallerDeadline(clock, ownDeadlineMs(capability, options), options.signal);
  try {
    const subject: SchemaSubject = { plugin, capability, bundle: services.bundle };
    const checked = schemas.inputNow(subject, request.input);
    const input = checked instanceof Promise ? await inTime(checked, deadline, request, services) : checked;
    const call = new Call(request, services, deadline, subject, input);
    let output: unknown;
    try {
      output = await call.run();
    } catch (error) {
      metrics.called(plugin, { ok: false, durationMs: deadline.elapsedMs, atMs: clock.now() });
      throw error;
    }
    const durationMs = deadline.elapsedMs;
    metrics.called(plugin, { ok: true, durationMs, atMs: clock.now() });
    return { output, durationMs };
  } finally {
    deadline.end();
  }
}

export interface CompleteRequest {
  readonly plugin: string;
  readonly capability: CapabilityRef;
  readonly partial: string;
  readonly cursor?: number;
}

export interface CompletionItem {
  readonly value: string;
  readonly description?: string;
}

/**
 * Completions for what was typed so far. A plugin that has no `complete` has no items; that is no error. Rejects with
 * an MmmError after `hostLimits.completeTimeoutMs`, a start not included.
 */
export async function complete(
  request: CompleteRequest,
  services: { session(wait: SessionWait): Promise<Session>; readonly clock: Clock },
): Promise<CompletionItem[]> {
  const {
    plugin,
    capability: { kind, name },
    partial,
    cursor,
  } = request;
  const session = await services.session({ failFast: true });
  const timeoutMs = hostLimits.completeTimeoutMs;
  try {
    const params = { capability: { kind, name }, partial, ...(cursor === undefined ? {} : { cursor }) };
    const { items } = await session.connection.call(pluginMethods.complete, params, { timeoutMs });
    return items.map(({ value, description }) => (description === undefined ? { value } : { value, description }));
  } catch (error) {
    if (error instanceof RpcError && error.is('MethodNotFound')) return [];
    throw await callError(error, {
      plugin,
      capability: name,
      method: pluginMethods.complete.name,
      timeoutMs,
      queued: 0,
      queuedMax: 0,
      bytesMax: bytesMaxOf(session),
      exitReason: () => exitReasonOf(session, services.clock),
    });
  }
}

/** One call from its checked input to its checked answer. */
class Call {
  readonly #request: InvokeRequest;
  readonly #services: InvokeServices;
  readonly #deadline: CallerDeadline;
  readonly #subject: SchemaSubject;
  readonly #input: unknown;
  /** What it waits for: the end of the sentence when its time is over. */
  #waitingFor = 'had no place free';
  /** A part of the answer was passed on, so that a second call would repeat it. */
  #chunked = false;

  constructor(
    request: InvokeRequest,
    services: InvokeServices,
    deadline: CallerDeadline,
    subject: SchemaSubject,
    input: unknown,
  ) {
    this.#request = request;
    this.#services = services;
    this.#deadline = deadline;
    this.#subject = subject;
    this.#input = input;
  }

  run(): Promise<unknown> {
    // Only what may be made once more has to be waited for here.
    if (!this.#request.capability.idempotent) return this.#attempt();
    return this.#attempt().catch((error: unknown) => {
      if (!this.#mayReplay(error)) throw error;
      return this.#attempt();
    });
  }

  /**
   * Waits for a turn first and for a session then, so that a call never gets a session that ended in the queue. In one
   * piece, because each further function to wait for would cost a fast call a measurable part of its time.
   */
  async #attempt(): Promise<unknown> {
    const { queue, schemas, clock } = this.#services;
    const { signal } = this.#deadline;
    let output: unknown;
    try {
      if (!queue.tryEnter(signal)) await queue.enter({ signal, bytes: () => JSON.stringify(this.#input)?.length ?? 0 });
      try {
        this.#waitingFor = 'was not ready';
        const session = await this.#services.session(this.#wait());
        this.#checkOffered(session);
        const { connection } = session;
        this.#waitingFor = 'did not read what it was sent';
        while (connection.isFull) await orAborted(connection.room(), signal);
        this.#waitingFor = 'did not answer';
        try {
          const limits = this.#limits();
          const { kind, name } = this.#request.capability;
          const leftMs = Math.min(limits.timeoutMs, limits.timeoutMaxMs);
          const context = callContextOf(this.#request.context, clock, leftMs);
          const params = { capability: { kind, name }, input: this.#input, context };
          ({ output } = await connection.call(pluginMethods.execute, params, limits));
        } catch (error) {
          throw await callError(error, this.#facts(session));
        }
      } finally {
        queue.leave();
      }
    } catch (error) {
      throw await this.#failure(error);
    }
    const checked = schemas.outputNow(this.#subject, output);
    return checked instanceof Promise ? await inTime(checked, this.#deadline, this.#request, this.#services) : checked;
  }

  /** What the caller sees of what ended an attempt. */
  async #failure(error: unknown): Promise<MmmError> {
    const { endedBy } = this.#deadline;
    const unavailable = MmmError.is(error, 'PLUGIN_UNAVAILABLE') || MmmError.is(error, 'DEPENDENCY_FAILED');
    if (error instanceof MmmError && !(unavailable && endedBy === 'deadline')) return error;
    if (endedBy === 'deadline') return timeoutError(this.#facts(), this.#waitingFor, error);
    if (endedBy === 'caller') return cancelledError(this.#facts());
    return await callError(error, this.#facts());
  }

  #wait(): SessionWait {
    const { capability, options } = this.#request;
    // A start has a deadline of its own; this one ends the wait through crash after crash.
    const deadlineMs = Math.min(this.#deadline.leftMs, longestMs(capability));
    if (options?.signal === undefined && options?.failFast === undefined) return { deadlineMs };
    return {
      deadlineMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.failFast === undefined ? {} : { failFast: options.failFast }),
    };
  }

  #limits(): CallOptions & { readonly timeoutMs: number; readonly timeoutMaxMs: number } {
    const { capability, options } = this.#request;
    const { leftMs } = this.#deadline;
    const own = Number.isFinite(leftMs);
    const timeoutMs = own ? leftMs : idleMs(capability);
    const timeoutMaxMs = own ? leftMs : longestMs(capability);
    const { signal, onProgress } = options ?? {};
    if (signal === undefined && onProgress === undefined) return { timeoutMs, timeoutMaxMs };
    const passOn = (value: ProgressValue): void => {
      if (value.kind === 'chunk') this.#chunked = true;
      onProgress?.(value);
    };
    return {
      timeoutMs,
      timeoutMaxMs,
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress: passOn }),
    };
  }

  #mayReplay(error: unknown): boolean {
    if (!this.#request.capability.idempotent || this.#chunked) return false;
    return MmmError.is(error, 'PLUGIN_EXITED') && error.data.reason.kind !== 'requested';
  }

  #checkOffered(session: Session): void {
    const {
      plugin,
      capability: { kind, name },
    } = this.#request;
    if (session.capabilities.some((offered) => offered.kind === kind && offered.name === name)) return;
    const known = session.capabilities.map((offered) => `${offered.kind}:${offered.name}`);
    const message = `${plugin} left ${kind} "${name}" out when it started, so it cannot be called here.`;
    throw new MmmError('CAPABILITY_NOT_FOUND', message, { plugin, capability: `${kind}:${name}`, known });
  }

  #facts(session?: Session): FailedCall {
    return factsOf(this.#request, this.#services, session);
  }
}

function factsOf(request: InvokeRequest, services: InvokeServices, session?: Session): FailedCall {
  const { plugin, capability, options } = request;
  const { queue, clock } = services;
  return {
    plugin,
    capability: capability.name,
    method: pluginMethods.execute.name,
    timeoutMs: options?.timeoutMs ?? idleMs(capability),
    queued: queue.queued,
    queuedMax: queue.queuedMax,
    ...(session === undefined ? {} : { bytesMax: bytesMaxOf(session) }),
    exitReason: () => exitReasonOf(session, clock),
  };
}

/** A schema that has to be read and compiled first takes from the time of the call that needs it. */
async function inTime(
  checked: Promise<unknown>,
  deadline: CallerDeadline,
  request: InvokeRequest,
  services: InvokeServices,
): Promise<unknown> {
  try {
    return await orAborted(checked, deadline.signal);
  } catch (error) {
    if (error instanceof MmmError) throw error;
    const facts = factsOf(request, services);
    if (deadline.endedBy === 'caller') throw cancelledError(facts);
    if (deadline.endedBy === 'deadline') throw timeoutError(facts, 'could not be verified and its schemas read', error);
    throw await callError(error, facts);
  }
}

/** Waits for something that always happens some time, or rejects with the signal's reason before that. */
async function orAborted<T>(happens: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
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
async function exitReasonOf(session: Session | undefined, clock: Clock): Promise<ExitReason> {
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

function bytesMaxOf(session: Session): number {
  const asked = session.plugin.spec.manifest.limits.message_mb;
  return asked === undefined ? wireLimits.messageBytes : asked * 1024 * 1024;
}

/** A caller may ask for less than the longest call, never for more. */
function ownDeadlineMs(capability: CapabilitySection, { timeoutMs }: InvokeOptions): number | undefined {
  return timeoutMs === undefined ? undefined : Math.min(timeoutMs, longestMs(capability));
}

function idleMs({ timeout_s }: CapabilitySection): number {
  return timeout_s === undefined ? hostLimits.callIdleTimeoutMs : timeout_s * 1000;
}

function longestMs(capability: CapabilitySection): number {
  return Math.max(hostLimits.callTimeoutMaxMs, idleMs(capability));
}
