import { type ControlCall, fromControlValue, MmmError, type ProgressValue, toControlValue } from '@mmm/protocol';
import type { HandlerContext } from '@mmm/rpc';
import type { ExecuteOptions, Host, Plugin } from '../api.ts';
import type { ProgressRelay } from './progress-relay.ts';

/** What one call brings with it besides its arguments. */
export interface ServedCall {
  readonly call: ControlCall;
  readonly params: Readonly<Record<string, unknown>>;
  /** Aborts when the client gives the call up, and when it is gone. */
  readonly signal: AbortSignal;
  readonly context: Pick<HandlerContext, 'progress' | 'room'>;
  readonly relay: Pick<ProgressRelay, 'pass' | 'drained'>;
  /** Whose call it is. */
  readonly client: {
    readonly caller: NonNullable<ExecuteOptions['context']>['caller'];
    readonly prompter: ExecuteOptions['prompter'];
  };
}

/** Items of a stream that are sent in one message. */
const itemsPerChunk = 100;

type Callable = (...given: unknown[]) => unknown;

/** Calls what the dotted name means on this host, and returns what it answers as JSON can carry it. */
export async function serveCall(host: Host, name: string, served: ServedCall): Promise<{ value?: unknown }> {
  const { call, context } = served;
  const answer = await invoke(host, name, argumentsOf(served), served);
  if (!call.isStream) {
    await served.relay.drained();
    const value = toControlValue(answer);
    return value === undefined ? {} : { value };
  }
  await send(answer as Iterable<unknown> | AsyncIterable<unknown>, context, served.signal);
  return {};
}

async function invoke(host: Host, name: string, given: readonly unknown[], { signal }: ServedCall): Promise<unknown> {
  const [first, second] = name.split('.');
  if (second === undefined) {
    if (name === 'plugin') return facts(await host.plugin(String(given[0])));
    return await methodOf(host, name)(...given);
  }
  switch (first) {
    case 'handle': {
      const [id, ...rest] = given;
      const plugin = await host.plugin(String(id));
      return await methodOf(plugin, second)(...(second === 'changes' ? [signal] : rest));
    }
    case 'keys': {
      if (second === 'list') return (await host.keys.list()).map(publicHalf);
      return publicHalf(await host.keys.get(given[0] as string | undefined));
    }
    case 'trust': {
      host.trust.refresh();
      return methodOf(host.trust, second)(...given);
    }
    default:
      return methodOf(host[first as 'audit'], second)(...given);
  }
}

function methodOf(target: object, name: string): Callable {
  const method = (target as Readonly<Record<string, unknown>>)[name];
  if (typeof method !== 'function') {
    const message = `The daemon has no method ${name}, although its API lists it.`;
    throw new MmmError('INTERNAL', message, { detail: message });
  }
  return method.bind(target) as Callable;
}

/** The arguments in their order, with the caller's signal and progress put back where the library takes them. */
function argumentsOf({ call, params, signal, relay, client }: ServedCall): readonly unknown[] {
  const given = call.arguments.map((name) => fromControlValue(params[name]));
  while (given.length > 0 && given.at(-1) === undefined) given.pop();
  if (call.signal !== 'options') return given;
  const options = (given[call.arguments.length - 1] ?? {}) as Record<string, unknown>;
  const isExecute = call.method.name === 'host/handle.execute';
  const more = isExecute
    ? {
        context: {
          ...(client.caller === undefined ? {} : { caller: client.caller }),
          ...(options.context as object | undefined),
        },
        prompter: client.prompter ?? null,
        onProgress: (value: ProgressValue) => relay.pass(value),
      }
    : {};
  const position = call.arguments.length - 1;
  const filled = [...given];
  filled.length = position;
  return [...filled, { ...options, ...more, signal }];
}

function facts({ id, state, pid, generation, lastExit, spec }: Plugin): Record<string, unknown> {
  return { id, state, pid, generation, lastExit, spec: { directory: spec.directory, manifest: spec.manifest } };
}

/** Never the secret: it does not leave the daemon. */
function publicHalf(key: { name: string; keyid: string; publicKey: string; fingerprint: string }) {
  const { name, keyid, publicKey, fingerprint } = key;
  return { name, keyid, publicKey, fingerprint };
}

/** Waits for a client that is slow instead of keeping what it has not read. */
async function send(
  items: Iterable<unknown> | AsyncIterable<unknown>,
  context: ServedCall['context'],
  signal: AbortSignal,
): Promise<void> {
  let seq = 0;
  let waiting: unknown[] = [];
  const flush = async (): Promise<void> => {
    if (waiting.length === 0) return;
    await context.room();
    if (!signal.aborted) context.progress({ kind: 'chunk', seq, data: waiting });
    seq += 1;
    waiting = [];
  };
  const isLive = Symbol.asyncIterator in items;
  try {
    for await (const item of items) {
      if (signal.aborted) return;
      waiting.push(toControlValue(item));
      // What comes by and by is shown when it comes.
      if (isLive || waiting.length >= itemsPerChunk) await flush();
    }
    await flush();
  } catch (error) {
    // Its end was asked for.
    if (!signal.aborted) throw error;
  }
}
