import type { ProgressValue } from '@mmm/protocol';
import type { Prompter } from './prompter.ts';

/** Whose a call is: who may be asked during it, who is told how far it is, and the call that led to it. */
export interface CallOrigin {
  /** The client's user; undefined when nobody is there. */
  readonly prompter?: Prompter | undefined;
  readonly onProgress?: ((value: ProgressValue) => void) | undefined;
  /** The call of another plugin during which this one was made. */
  readonly parent?: OpenCall | undefined;
}

const endedText = 'the call that this was for has ended';

/** What is open in a session. */
interface OpenConnection {
  holdIdle(id: number): () => void;
}

/** One request of the host that a plugin works on, from before it is written until it is settled. */
export class OpenCall {
  readonly plugin: string;
  readonly origin: CallOrigin;
  /** When the host gives it up at the latest, on the clock's monotonic time. */
  readonly endsAtMs: number;
  /** The trace that it belongs to. */
  readonly traceparent: string | undefined;
  readonly #connection: OpenConnection;
  #id: number | undefined;
  #end: AbortController | undefined;
  #isSettled = false;
  #asking = 0;

  constructor(plugin: string, connection: OpenConnection, about: OpenCallFacts) {
    this.plugin = plugin;
    this.#connection = connection;
    this.origin = about.origin;
    this.endsAtMs = about.endsAtMs;
    this.traceparent = about.traceparent;
  }

  /** The id of the request, once it is written. */
  get id(): number | undefined {
    return this.#id;
  }

  sent(id: number): void {
    this.#id = id;
  }

  /** The plugins from the one that was called first to this one. */
  get chain(): readonly string[] {
    return [...(this.origin.parent?.chain ?? []), this.plugin];
  }

  /** Somebody reads a question of this call, or of one that it led to. */
  get isAsking(): boolean {
    return this.#asking > 0;
  }

  /** Aborts when the call is settled: what was begun for it is not wanted any more. */
  get ended(): AbortSignal {
    this.#end ??= new AbortController();
    if (this.#isSettled) this.#end.abort(new Error(endedText));
    return this.#end.signal;
  }

  /** While the question is open no time of this call passes, nor of those that led to it. */
  async whileAsking<T>(question: () => Promise<T>): Promise<T> {
    for (let call: OpenCall | undefined = this; call !== undefined; call = call.origin.parent) call.#asking += 1;
    try {
      return await question();
    } finally {
      for (let call: OpenCall | undefined = this; call !== undefined; call = call.origin.parent) call.#asking -= 1;
    }
  }

  /** Shows the client how far it is; counts as progress of this call and of those that led to it. */
  report(value: ProgressValue & { readonly kind: 'report' }): void {
    let isShown = false;
    for (let call: OpenCall | undefined = this; call !== undefined; call = call.origin.parent) {
      if (call.id !== undefined) call.#connection.holdIdle(call.id)();
      if (!isShown) call.origin.onProgress?.(value);
      isShown ||= call.origin.onProgress !== undefined;
    }
  }

  /** While the host works for it the plugin's silence does not count. */
  async whileServed<T>(work: () => Promise<T>): Promise<T> {
    const release = this.#id === undefined ? undefined : this.#connection.holdIdle(this.#id);
    try {
      return await work();
    } finally {
      release?.();
    }
  }

  settle(): void {
    this.#isSettled = true;
    this.#end?.abort(new Error(endedText));
  }
}

export interface OpenCallFacts {
  readonly origin: CallOrigin;
  readonly endsAtMs: number;
  readonly traceparent?: string | undefined;
}

/** The calls that one life of a plugin works on, oldest first. */
export class OpenCalls {
  readonly #calls = new Set<OpenCall>();

  open(call: OpenCall): void {
    this.#calls.add(call);
  }

  close(call: OpenCall): void {
    if (this.#calls.delete(call)) call.settle();
  }

  /**
   * The call that a request of the plugin belongs to: the one it names, and nothing once that has ended; the oldest
   * when it names none, because a program that knows of one call at a time answers them in their order.
   */
  find(named: string | number | undefined): OpenCall | undefined {
    for (const call of this.#calls) if (named === undefined || call.id === named) return call;
    return undefined;
  }

  get isAsking(): boolean {
    for (const call of this.#calls) if (call.isAsking) return true;
    return false;
  }
}
