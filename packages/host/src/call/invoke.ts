import {
  type CapabilityRef,
  type CapabilitySection,
  MmmError,
  type ProgressValue,
  pluginMethods,
  RpcError,
} from '@mmm/protocol';
import type { CallOptions, Clock } from '@mmm/rpc';
import { type CallOrigin, OpenCall } from '../clients/open-calls.ts';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { SessionWait } from '../supervise/waiters.ts';
import { type CallContextFields, callContextOf } from './call-context.ts';
import { callError, cancelledError, type FailedCall, timeoutError } from './call-error.ts';
import { CallerDeadline } from './deadline.ts';
import type { CallQueue } from './queue.ts';
import type { BundleSchemas, SchemaSubject, SchemaValidator } from './schema.ts';
import { bytesMaxOf, exitReasonOf, orAborted } from './session-end.ts';

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
  readonly origin: CallOrigin;
  /** When the call ends at the latest, whatever its options say: with the one that led to it. Monotonic time. */
  readonly endsAtMs?: number | undefined;
}

export interface InvokeServices {
  session(wait: SessionWait): Promise<Session>;
  readonly queue: CallQueue;
  readonly schemas: SchemaValidator;
  readonly bundle: BundleSchemas;
  /**
   * The version of the plugin that a session runs: while a call waits, another may take the place of the one it was
   * checked for. Without it there is one version only.
   */
  versionOf?(session: Session): CallVersion | undefined;
  readonly metrics: {
    called(plugin: string, call: { readonly ok: boolean; readonly durationMs: number; readonly atMs: number }): void;
  };
  readonly clock: Clock;
}

/** What a call is checked against. */
export interface CallVersion {
  readonly bundle: BundleSchemas;
  /** Throws CAPABILITY_NOT_FOUND. */
  find(capability: CapabilityRef): CapabilitySection;
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
  const deadline = new CallerDeadline(clock, wholeTimeMs(request, clock), options.signal);
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

type CallLimits = CallOptions & { readonly timeoutMs: number; readonly timeoutMaxMs: number };

/** One call from its checked input to its checked answer. */
class Call {
  readonly #services: InvokeServices;
  readonly #deadline: CallerDeadline;
  #request: InvokeRequest;
  #subject: SchemaSubject;
  /** As checked, with the defaults of its schema. */
  #input: unknown;
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
        let session = await this.#services.session(this.#wait());
        if (session.connection.isFull || this.#isOther(session)) session = await this.#ready(session);
        this.#checkOffered(session);
        const { connection, openCalls } = session;
        this.#waitingFor = 'did not answer';
        const limits = this.#limits();
        const open = this.#open(connection, limits);
        openCalls.open(open);
        try {
          const { kind, name } = this.#request.capability;
          const leftMs = Math.min(limits.timeoutMs, limits.timeoutMaxMs);
          const context = callContextOf(this.#request.context, clock, leftMs);
          const params = { capability: { kind, name }, input: this.#input, context };
          const sent = { ...limits, onSent: (id: number) => open.sent(id) };
          ({ output } = await connection.call(pluginMethods.execute, params, sent));
        } catch (error) {
          throw await callError(error, this.#facts(session));
        } finally {
          openCalls.close(open);
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

  /**
   * Waits for room in its pipe, and checks the input again for another version. Each wait is long enough for the
   * session to be replaced, so that the one in use is asked for again.
   */
  async #ready(first: Session): Promise<Session> {
    let session = first;
    for (;;) {
      const { connection } = session;
      const version = this.#versionOf(session);
      if (version !== undefined) {
        await this.#checkAgain(version);
      } else if (connection.isFull) {
        this.#waitingFor = 'did not read what it was sent';
        await orAborted(connection.room(), this.#deadline.signal);
      } else {
        return session;
      }
      session = await this.#services.session(this.#wait());
    }
  }

  #isOther(session: Session): boolean {
    return this.#versionOf(session) !== undefined;
  }

  /** Undefined when it is the one that the call was checked for. */
  #versionOf(session: Session): CallVersion | undefined {
    const version = this.#services.versionOf?.(session);
    return version?.bundle === this.#subject.bundle ? undefined : version;
  }

  async #checkAgain({ bundle, find }: CallVersion): Promise<void> {
    const { plugin, input } = this.#request;
    const capability = find(this.#request.capability);
    const subject = { plugin, capability, bundle };
    this.#input = await orAborted(
      Promise.resolve(this.#services.schemas.inputNow(subject, input)),
      this.#deadline.signal,
    );
    this.#request = { ...this.#request, capability };
    this.#subject = subject;
  }

  #open(connection: Session['connection'], limits: CallLimits): OpenCall {
    const { origin, plugin, context } = this.#request;
    const endsAtMs = this.#services.clock.monotonic() + limits.timeoutMaxMs;
    return new OpenCall(plugin, connection, { origin, endsAtMs, traceparent: context.traceparent });
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

  #limits(): CallLimits {
    const { capability, options } = this.#request;
    const { leftMs } = this.#deadline;
    const own = options?.timeoutMs !== undefined;
    const timeoutMs = own ? leftMs : Math.min(leftMs, idleMs(capability));
    const timeoutMaxMs = own ? leftMs : Math.min(leftMs, longestMs(capability));
    const { signal, onProgress } = options ?? {};
    if (signal === undefined && onProgress === undefined) return { timeoutMs, timeoutMaxMs };
    const passOn = (value: ProgressValue): unknown => {
      if (value.kind === 'chunk') this.#chunked = true;
      return onProgress?.(value);
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

/** A caller may ask for less than the longest call, never for more, nor for more than the call has that led to it. */
function wholeTimeMs({ capability, options, endsAtMs }: InvokeRequest, clock: Clock): number | undefined {
  const own = options?.timeoutMs;
  if (own === undefined && endsAtMs === undefined) return undefined;
  const leftMs = endsAtMs === undefined ? Number.POSITIVE_INFINITY : Math.max(1, endsAtMs - clock.monotonic());
  return Math.min(own ?? Number.POSITIVE_INFINITY, longestMs(capability), leftMs);
}

function idleMs({ timeout_s }: CapabilitySection): number {
  return timeout_s === undefined ? hostLimits.callIdleTimeoutMs : timeout_s * 1000;
}

function longestMs(capability: CapabilitySection): number {
  return Math.max(hostLimits.callTimeoutMaxMs, idleMs(capability));
}
