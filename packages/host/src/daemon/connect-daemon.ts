import type { Socket } from 'node:net';
import {
  controlCalls,
  controlMethods,
  controlVersion,
  type DaemonStatus,
  fromControlError,
  fromControlValue,
  hostVersion,
  type Method,
  MmmError,
  type ProgressValue,
  RpcError,
  toControlValue,
  wireLimits,
} from '@mmm/protocol';
import { CallFailed, type CallOptions, type Connection, connect, onRequest } from '@mmm/rpc';
import type { PermissionRequest, Prompter } from '../clients/prompter.ts';
import { hostLimits } from '../limits.ts';
import { dialControl } from './control-socket.ts';
import { readControlToken } from './control-token.ts';
import { itemsOf } from './item-stream.ts';

export interface DaemonClientOptions {
  readonly client: { readonly kind: string; readonly id: string };
  /** The folder the client works in. */
  readonly project?: string;
  /** Asked when a call of this client needs a permission. */
  readonly prompter?: Prompter;
}

/** What one call may take besides what is sent. */
interface CallExtras {
  readonly signal?: AbortSignal;
  readonly onProgress?: (value: ProgressValue) => void;
}

/** A connection to the daemon of a home. */
export class DaemonClient {
  readonly #connection: Connection;
  readonly #token: string;
  #calls = 0;

  private constructor(socket: Socket, token: string, prompter: Prompter | undefined) {
    this.#token = token;
    this.#connection = connect(
      { input: socket, output: socket },
      {
        framing: 'ndjson',
        limits: { messageBytes: wireLimits.messageBytesMax },
        requests:
          prompter === undefined
            ? {}
            : {
                user: onRequest(controlMethods.askUser, async (question, { signal }) => {
                  if (prompter.prompt === undefined) throw RpcError.of('NotInteractive', 'Nobody is there.');
                  return { answer: await prompter.prompt(question, signal) };
                }),
                ask: onRequest(controlMethods.askPermission, async (request) => ({
                  answer: await prompter.ask(request as unknown as PermissionRequest),
                })),
              },
      },
    );
  }

  /** Undefined when no daemon serves the home whose `run` folder this is. Says nothing yet: see `greet`. */
  static async dial(runFolder: string, prompter?: Prompter): Promise<DaemonClient | undefined> {
    const socket = await dialControl(runFolder);
    return socket === undefined ? undefined : new DaemonClient(socket, readControlToken(runFolder), prompter);
  }

  /** Throws DAEMON_FAILED when it is another version, or does not answer. */
  async greet({ client, project, prompter }: DaemonClientOptions): Promise<DaemonStatus> {
    const own = { control: controlVersion, mmm: hostVersion, token: this.#token };
    const interactive = prompter !== undefined;
    const who = { ...own, client, interactive, ...(project === undefined ? {} : { project }) };
    return await this.#request(controlMethods.hello, who, { timeoutMs: hostLimits.daemonAnswerMs });
  }

  async status(): Promise<DaemonStatus> {
    return await this.#request(controlMethods.status, {}, { timeoutMs: hostLimits.daemonAnswerMs });
  }

  async reload(): Promise<DaemonStatus> {
    return await this.#request(controlMethods.reload, { token: this.#token }, {});
  }

  async stop(): Promise<void> {
    await this.#request(controlMethods.stop, { token: this.#token }, { timeoutMs: hostLimits.daemonAnswerMs });
  }

  /** Resolves when the connection has ended, from whichever side. */
  get closed(): Promise<unknown> {
    return this.#connection.closed;
  }

  close(): void {
    this.#connection.close();
  }

  /** One call of a method of the host, by its dotted name. Rejects with the error that the host threw. */
  async call(name: string, given: readonly unknown[]): Promise<unknown> {
    const call = this.#method(name);
    const { params, extras } = this.#spell(name, given);
    const { value } = (await this.#request(call, params, extras)) as { value?: unknown };
    return fromControlValue(value);
  }

  /** A method that answers with items. Leaving the loop ends it there. */
  stream(name: string, given: readonly unknown[]): AsyncIterable<unknown> {
    const call = this.#method(name);
    const { params, extras } = this.#spell(name, given);
    return itemsOf((onItems, ended) => {
      const onProgress = (value: ProgressValue): void => {
        if (value.kind === 'chunk' && Array.isArray(value.data)) onItems(value.data.map(fromControlValue));
      };
      return this.#request(call, params, { signal: ended, onProgress });
    }, extras.signal);
  }

  #method(name: string): Method {
    const call = controlCalls.get(name);
    if (call !== undefined) return call.method;
    const message = `The control API has no method ${name}.`;
    throw new MmmError('INTERNAL', message, { detail: message });
  }

  /** Arguments by name. What is a function or a signal stays here and does its work from here. */
  #spell(name: string, given: readonly unknown[]): { params: Record<string, unknown>; extras: CallExtras } {
    const names = controlCalls.get(name)?.arguments ?? [];
    const params: Record<string, unknown> = {};
    let extras: CallExtras = {};
    given.forEach((value, index) => {
      if (value instanceof AbortSignal) {
        extras = { ...extras, signal: value };
        return;
      }
      if (typeof value === 'object' && value !== null) {
        const { signal, onProgress } = value as CallExtras;
        if (signal instanceof AbortSignal) extras = { ...extras, signal };
        if (typeof onProgress === 'function') extras = { ...extras, onProgress };
      }
      const key = names[index];
      const spelt = toControlValue(withoutExtras(value));
      if (key !== undefined && spelt !== undefined) params[key] = spelt;
    });
    return { params, extras };
  }

  async #request<M extends Method>(method: M, params: object, options: CallOptions) {
    const { signal, ...rest } = options;
    const named = `c${this.#calls++}`;
    const isHostCall = method.name.startsWith('host/');
    // Not `$/cancelRequest`, which settles the call here at once: what became of it is worth waiting for.
    const cancel = (): void => this.#connection.notify(controlMethods.cancel, { call: named });
    try {
      const sent = isHostCall ? { ...params, call: named } : params;
      const answer = this.#connection.call(method, sent as never, rest);
      if (signal?.aborted === true) cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      return await answer;
    } catch (error) {
      throw asHostError(error, method.name);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }
}

function withoutExtras(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) return value;
  if (!('signal' in value || 'onProgress' in value)) return value;
  const { signal, onProgress, ...rest } = value as Record<string, unknown>;
  return {
    ...rest,
    ...(signal instanceof AbortSignal || signal === undefined ? {} : { signal }),
    ...(typeof onProgress === 'function' || onProgress === undefined ? {} : { onProgress }),
  };
}

/** The host's own error again, or that the daemon could not be asked. */
function asHostError(error: unknown, method: string): MmmError {
  if (error instanceof MmmError) return error;
  if (error instanceof RpcError) {
    const details = (error.data?.details ?? {}) as { error?: Parameters<typeof fromControlError>[0] };
    if (details.error !== undefined) return fromControlError(details.error);
    return daemonFailed(error.message, error);
  }
  if (error instanceof CallFailed && error.reason === 'timeout') {
    const seconds = hostLimits.daemonAnswerMs / 1000;
    return daemonFailed(`The daemon of this home does not answer within ${seconds} s.`, error);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return daemonFailed(`The daemon ended before it answered ${method}: ${reason}`, error);
}

function daemonFailed(message: string, cause: unknown): MmmError<'DAEMON_FAILED'> {
  return new MmmError('DAEMON_FAILED', message, { reason: message }, { cause });
}
