import { type CapabilityRef, type ExitReason, type ManifestInput, manifest } from '@mmm/protocol';
import { CallFailed, type CallOptions, type CloseCause, type Connection } from '@mmm/rpc';
import { OpenCalls } from '../../packages/host/src/clients/open-calls.ts';
import type { Session, SessionEnd } from '../../packages/host/src/handshake/session.ts';
import type { PermittedPlugin } from '../../packages/host/src/permit/permitted.ts';

/** One call that a fake plugin got, to be answered by the test. */
export interface FakeCall {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly options: CallOptions;
  answer(result: unknown): void;
  fail(error: unknown): void;
}

/** The smallest valid manifest with these capabilities. */
export function manifestOf(capabilities: ManifestInput['capabilities'], more: Partial<ManifestInput> = {}) {
  return manifest.parse({
    schema: 1,
    plugin: { name: 'calculator', version: '1.0.0', description: 'Calculates', license: 'MIT', command: ['node'] },
    capabilities,
    ...more,
  });
}

export interface FakeSessionOptions {
  readonly capabilities?: readonly CapabilityRef[];
  readonly features?: readonly string[];
  /** Answers every call at once; without it the test answers. */
  answer?(call: FakeCall): void;
  readonly manifest?: ReturnType<typeof manifestOf>;
}

/** A session without a process: calls are recorded, its end is up to the test. */
export class FakeSession implements Session {
  readonly pid = 4711;
  readonly plugin: PermittedPlugin;
  readonly connection: Connection;
  readonly openCalls = new OpenCalls();
  readonly capabilities: readonly CapabilityRef[];
  readonly features: ReadonlySet<string>;
  readonly enforcement: Session['enforcement'] = {
    filesystem: 'declared',
    network: 'declared',
    environment: 'declared',
    commands: 'declared',
    processes: 'declared',
    ipc: 'declared',
    memory: 'declared',
  };
  readonly loadMs = 5;
  readonly exited: Promise<ExitReason>;
  readonly calls: FakeCall[] = [];
  readonly stops: string[] = [];
  readonly kills: SessionEnd[] = [];
  /** When false, a stop does not end it: the test does. */
  stopsAtOnce = true;
  inFlight = 0;
  lastMessageAtMs = 0;
  paused = false;
  isClosed = false;
  debugged = false;
  /** Set it to keep calls waiting; `makeRoom` lets them go. */
  isFull = false;
  #roomWaiters: (() => void)[] = [];
  #resolveExit: (reason: ExitReason) => void = () => undefined;
  readonly #open = new Set<FakeCall>();

  constructor(options: FakeSessionOptions = {}) {
    this.capabilities = options.capabilities ?? [{ kind: 'tool', name: 'calculate' }];
    this.features = new Set(options.features ?? []);
    this.plugin = { spec: { manifest: options.manifest ?? manifestOf([]) } } as unknown as PermittedPlugin;
    this.exited = new Promise((resolve) => {
      this.#resolveExit = resolve;
    });
    this.connection = this.#connection(options);
  }

  /** Fails what is open, as a connection does, and ends with this reason. */
  end(reason: ExitReason): void {
    this.closePipe();
    this.#resolveExit(reason);
  }

  makeRoom(): void {
    this.isFull = false;
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  closePipe(): void {
    this.isClosed = true;
    this.makeRoom();
    for (const call of this.#open) call.fail(new CallFailed('closed', 'the connection closed'));
  }

  isDebugged(): boolean {
    return this.debugged;
  }

  stop(reason: string): Promise<ExitReason> {
    this.stops.push(reason);
    if (this.stopsAtOnce) this.end({ kind: 'requested' });
    return this.exited;
  }

  kill(cause: SessionEnd): void {
    this.kills.push(cause);
    if (cause.kind === 'requested') this.end({ kind: 'requested' });
    else this.end({ kind: cause.kind, detail: cause.detail, stderrTail: '' });
  }

  #connection(options: FakeSessionOptions): Connection {
    const self = this;
    const closed = this.exited.then((): CloseCause => ({ kind: 'ended', detail: 'the process ended' }));
    return {
      call: (method: { readonly name: string }, params: unknown, callOptions: CallOptions = {}) =>
        new Promise<unknown>((resolve, reject) => {
          const settle = (run: () => void): void => {
            if (!self.#open.delete(call)) return;
            self.inFlight -= 1;
            run();
          };
          const call: FakeCall = {
            method: method.name,
            params: params as FakeCall['params'],
            options: callOptions,
            answer: (result) => settle(() => resolve(result)),
            fail: (error) => settle(() => reject(error)),
          };
          self.inFlight += 1;
          self.#open.add(call);
          self.calls.push(call);
          callOptions.signal?.addEventListener('abort', () => call.fail(new CallFailed('cancelled', 'cancelled')));
          options.answer?.(call);
        }),
      holdIdle: () => () => undefined,
      notify: () => undefined,
      get inFlight() {
        return self.inFlight;
      },
      get lastMessageAtMs() {
        return self.lastMessageAtMs;
      },
      get paused() {
        return self.paused;
      },
      get isFull() {
        return self.isFull;
      },
      get isClosed() {
        return self.isClosed;
      },
      room: () => new Promise<void>((resolve) => self.#roomWaiters.push(resolve)),
      counters: {} as Connection['counters'],
      closed,
      close: () => self.closePipe(),
    } as unknown as Connection;
  }
}
