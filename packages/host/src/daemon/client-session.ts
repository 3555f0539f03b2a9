import type { Socket } from 'node:net';
import {
  controlCalls,
  controlMethods,
  controlVersion,
  type DaemonStatus,
  hostVersion,
  MmmError,
  type Params,
  RpcError,
  toControlError,
  wireLimits,
} from '@mmm/protocol';
import {
  type Clock,
  type Connection,
  connect,
  type HandlerContext,
  onNotification,
  onRequest,
  type RequestEntry,
} from '@mmm/rpc';
import type { Host } from '../api.ts';
import type { Prompter } from '../clients/prompter.ts';
import { hostLimits } from '../limits.ts';
import type { CallScopes } from './call-scope.ts';
import { ProgressRelay } from './progress-relay.ts';
import type { CallSubject, LentHost } from './project-hosts.ts';
import { serveCall } from './serve-call.ts';

type Hello = Params<typeof controlMethods.hello>;

export interface SessionServices {
  readonly clock: Clock;
  readonly scopes: CallScopes;
  /** Whether somebody who says this may read the folder of the socket. */
  isToken(given: string): boolean;
  /** The host that a call of this client is about, held open until `release`. */
  hostFor(project: string | undefined, about: CallSubject): Promise<LentHost>;
  status(): DaemonStatus;
  reload(): Promise<DaemonStatus>;
  /** Which plugins there are may have changed. */
  forget(): void;
  /** Begins to end the daemon; resolves at once. */
  stop(): void;
  note(level: 'info' | 'warn', message: string): void;
}

/** What may bring another version of a plugin. */
const changing = /^(?:install|remove|grant|rollback|discover)$/;

/**
 * One connection to the daemon. Whatever comes in over it, nothing else is harmed: messages are bounded and checked,
 * a client that sends garbage, does not say who it is or does not read is put out, and its calls end with it.
 */
export class ClientSession {
  readonly #socket: Socket;
  readonly #services: SessionServices;
  readonly #connection: Connection;
  /** By the names that the client gave its calls. */
  readonly #calls = new Map<string, AbortController>();
  #hello: Hello | undefined;
  #prompter: Prompter | undefined;
  #faults = 0;
  /** Hosts whose plugins this session has looked for. */
  readonly #looked = new WeakSet<Host>();

  constructor(socket: Socket, services: SessionServices) {
    this.#socket = socket;
    this.#services = services;
    this.#connection = connect(
      { input: socket, output: socket },
      {
        framing: 'ndjson',
        clock: services.clock,
        limits: { messageBytes: wireLimits.messageBytesMax },
        requests: this.#requests(),
        notifications: { cancel: onNotification(controlMethods.cancel, ({ call }) => this.#cancel(call)) },
        accept: (name) => this.#accept(name),
        onStray: () => this.#fault('sends lines that are no messages'),
        onFault: ({ kind, detail }) => this.#fault(`${kind}: ${detail}`),
      },
    );
    const late = services.clock.after(hostLimits.controlHelloMs, () => {
      if (this.#hello === undefined) this.#connection.close('It did not say who it is.');
    });
    void this.closed.then(() => late.cancel());
  }

  get closed(): Promise<unknown> {
    return this.#connection.closed;
  }

  close(cause: string): void {
    this.#connection.close(cause);
    // It has been told; what it does not read now it never will.
    this.#socket.destroySoon();
  }

  #requests(): Record<string, RequestEntry> {
    const { hello, status, stop, reload } = controlMethods;
    const entries: RequestEntry[] = [
      onRequest(hello, (params) => this.#greet(params)),
      onRequest(status, () => this.#services.status()),
      onRequest(reload, async ({ token }) => {
        this.#checkToken(token);
        return await this.#services.reload();
      }),
      onRequest(stop, ({ token }) => {
        this.#checkToken(token);
        this.#services.stop();
        return {};
      }),
    ];
    for (const [name, call] of controlCalls) {
      entries.push(
        onRequest(call.method, (params, context) => this.#serve(name, params as Record<string, unknown>, context)),
      );
    }
    return Object.fromEntries(entries.map((entry) => [entry.method.name, entry]));
  }

  /** These work between versions, so that an old daemon can be replaced. */
  #accept(name: string): true | RpcError {
    if (this.#hello !== undefined || /^control\/(?:hello|status|reload|stop)$/.test(name)) return true;
    return RpcError.of('NotInitialized', 'Say control/hello first.');
  }

  #checkToken(token: string): void {
    if (!this.#services.isToken(token)) throw RpcError.of('PermissionDenied', 'The token of this daemon is another.');
  }

  #greet(params: Hello): DaemonStatus {
    if (params.control !== controlVersion || params.mmm !== hostVersion) {
      const message =
        `The daemon of this home is mmm ${hostVersion} (control ${controlVersion}), and this is mmm ${params.mmm} ` +
        `(control ${params.control}). Start it again with the version you use: mmm daemon stop, mmm daemon start.`;
      throw RpcError.of('InvalidRequest', message, { control: controlVersion, mmm: hostVersion });
    }
    this.#checkToken(params.token);
    this.#hello = params;
    this.#services.forget();
    if (params.interactive) this.#prompter = this.#makePrompter();
    return this.#services.status();
  }

  async #serve(name: string, params: Record<string, unknown>, context: HandlerContext): Promise<{ value?: unknown }> {
    const call = controlCalls.get(name);
    if (call === undefined) throw RpcError.of('MethodNotFound', `There is no method ${name} here.`);
    const ended = new AbortController();
    const giveUp = (reason: unknown): void => ended.abort(reason);
    context.signal.addEventListener('abort', () => giveUp(context.signal.reason), { once: true });
    const named = typeof params.call === 'string' ? params.call : undefined;
    if (named !== undefined) this.#calls.set(named, ended);
    const relay = new ProgressRelay(context, { isFull: () => this.#connection.isFull, giveUp });
    const scope = { prompter: this.#prompter };
    const client = { caller: this.#hello?.client, prompter: this.#prompter };
    try {
      return await this.#services.scopes.run(scope, async () => {
        const { host, release } = await this.#services.hostFor(this.#projectFor(name), subjectOf(name, params));
        try {
          await this.#lookAgain(host);
          if (changing.test(name)) this.#services.forget();
          return await serveCall(host, name, { call, params, signal: ended.signal, context, relay, client });
        } finally {
          release();
        }
      });
    } catch (error) {
      throw asAnswer(error);
    } finally {
      if (named !== undefined) this.#calls.delete(named);
    }
  }

  /** Mappings are those of the home, whatever folder somebody is in: the daemon's own host runs them. */
  #projectFor(name: string): string | undefined {
    return name.startsWith('mappings.') ? undefined : this.#hello?.project;
  }

  /** A command that begins sees what is on the disk, as it would without a daemon. */
  async #lookAgain(host: Host): Promise<void> {
    if (this.#looked.has(host)) return;
    this.#looked.add(host);
    await host.discover();
  }

  #cancel(call: string): void {
    this.#calls.get(call)?.abort(RpcError.of('RequestCancelled', 'The call was cancelled by its client.'));
  }

  /** One object a session, as the host wants it: questions to one client stand in one line. */
  #makePrompter(): Prompter {
    return {
      ask: async ({ items, ...request }) => {
        const asked = await this.#connection.call(controlMethods.askPermission, { ...request, items: [...items] });
        return asked.answer;
      },
      prompt: async ({ options, ...question }, signal) => {
        const asked = { ...question, options: [...options] };
        const { answer } = await this.#connection.call(controlMethods.askUser, asked, { signal });
        return answer;
      },
    };
  }

  #fault(what: string): void {
    this.#faults += 1;
    if (this.#faults !== hostLimits.controlFaults) return;
    this.#services.note('warn', `a client was put out, because it ${what}`);
    this.close('It sends what is no message of the protocol.');
  }
}

/** What a call is about, as far as it matters for which host does it. */
function subjectOf(name: string, { id, place }: Record<string, unknown>): CallSubject {
  if (place === 'project') return { kind: 'project' };
  // Whose hooks are asked is not known before they are.
  if (name === 'emit') return { kind: 'any_plugin' };
  return typeof id === 'string' ? { kind: 'plugin', plugin: id } : { kind: 'host' };
}

/** An error of the library crosses with its code and data; the other side makes the same error of it again. */
function asAnswer(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const spelt = toControlError(error);
  return RpcError.of('InternalError', error instanceof MmmError ? error.message : 'mmm failed.', { error: spelt });
}
