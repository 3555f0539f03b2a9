import { type CapabilityRef, hostMethods, kindShapes, type Params, type ProgressValue, RpcError } from '@mmm/protocol';
import { type Clock, type HandlerContext, onRequest, type RequestEntry } from '@mmm/rpc';
import type { ModelExchange, ModelExchangeStore } from '../store/model-exchanges.ts';
import { execute } from './compose-requests.ts';
import { linkTo } from './links.ts';
import type { Outgoing } from './outgoing.ts';
import type { Peers } from './peers.ts';
import type { Requester } from './requester.ts';

export interface ModelServices {
  readonly peers: Peers;
  readonly outgoing: Outgoing;
  readonly exchanges: ModelExchangeStore;
  /** The project's path; empty without one. */
  readonly project: string;
  readonly clock: Pick<Clock, 'now'>;
  /** The provider that the settings name for a model, as `plugin` or `plugin:capability`. */
  route(model: string | undefined): string | undefined;
  /** Told of each answer, for the event `model_response`. */
  answered(plugin: string, about: ModelResponse): void;
}

/** What those who subscribe are told: nothing of what was said. */
export interface ModelResponse {
  /** The plugin and capability that answered. */
  readonly provider: string;
  readonly spec: string | null;
  readonly usage: unknown;
  readonly stop_reason: string | null;
}

type ModelMethod = 'model_request' | 'get_model_history';
type ModelRequest = Params<typeof hostMethods.model_request>;
type Chunk = ProgressValue & { readonly kind: 'chunk' };

const [replyShape] = kindShapes.model.output.options;

/**
 * Requests to language models, answered by the plugin of kind `model` that the settings name. What it streams is passed
 * on chunk by chunk, at most 64 ahead of what the asking plugin acknowledged. Each answered exchange is kept.
 */
export function modelRequests(
  requester: Requester,
  services: ModelServices,
  note: (message: string) => void,
): Readonly<Record<ModelMethod, RequestEntry>> {
  const owner = { plugin: requester.recordId, publisher: requester.publisher, project: services.project };
  return {
    model_request: onRequest(hostMethods.model_request, async (params, request) => {
      await requester.need({ kind: 'model' }, request);
      const { plugin, capability } = await providerOf(params, services);
      const link = linkTo(plugin, requester, request);
      const { messages, options, spec } = params;
      const input = { operation: 'chat', messages, options };
      const output = await services.outgoing.within(requester.plugin, input, 1, () =>
        link.serve(async () => {
          const peer = await services.peers.open(plugin).catch(() => Promise.reject(noProvider(plugin)));
          const relay = new ChunkRelay(request);
          const answer = await execute(peer, capability, input, link, requester, (chunk) => relay.pass(chunk));
          await relay.passed;
          return answer;
        }),
      );
      const reply = replyOf(output, plugin);
      const at = new Date(services.clock.now()).toISOString();
      const exchange: ModelExchange = {
        ...{ at, provider: `${plugin}:${capability.name}`, spec: spec ?? null, messages, message: reply.message },
        ...{ usage: reply.usage ?? null, stopReason: reply.stop_reason ?? null },
      };
      // The answer is there: that it cannot be kept must not take it away.
      try {
        services.exchanges.add(owner, exchange);
      } catch (error) {
        note(
          `An exchange with a model is not in the history: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      const { provider, usage } = exchange;
      services.answered(requester.plugin, { provider, spec: exchange.spec, usage, stop_reason: exchange.stopReason });
      return reply;
    }),
    get_model_history: onRequest(hostMethods.get_model_history, async ({ spec }, request) => {
      await requester.need({ kind: 'model' }, request);
      const exchanges = services.exchanges.list(owner, spec);
      return { exchanges: exchanges.map(({ stopReason, ...exchange }) => ({ ...exchange, stop_reason: stopReason })) };
    }),
  };
}

/** Passes the chunks of one answer on, in their order, each when the one who asked has room for it. */
class ChunkRelay {
  readonly #request: HandlerContext;
  #seq = 0;
  passed: Promise<void> = Promise.resolve();

  constructor(request: HandlerContext) {
    this.#request = request;
  }

  /** Resolves when it was passed on; the model's next ones wait for that. */
  pass({ data }: Chunk): Promise<void> {
    this.passed = this.passed.then(async () => {
      await this.#request.room();
      this.#request.progress({ kind: 'chunk', seq: this.#seq++, data });
    });
    return this.passed;
  }
}

/** The settings' provider for the model that is asked for, else the only one there is. */
async function providerOf(
  { options }: ModelRequest,
  { peers, route }: ModelServices,
): Promise<{ readonly plugin: string; readonly capability: CapabilityRef }> {
  const model = typeof options.model === 'string' ? options.model : undefined;
  const offers = await peers.offers(({ kind }) => kind === 'model');
  const named = route(model);
  if (named === undefined) {
    const [first, second] = offers;
    if (first === undefined) throw noProvider(undefined);
    if (second === undefined) return first;
    throw RpcError.of(
      'PluginUnavailable',
      'There are several models, and no `[models] default` in config.toml names one.',
    );
  }
  const [plugin, name] = named.split(':', 2);
  const found = offers.filter(
    (offer) => offer.plugin === plugin && (name === undefined || offer.capability.name === name),
  );
  const [first, second] = found;
  if (first === undefined) throw noProvider(named);
  if (second === undefined) return first;
  throw RpcError.of('PluginUnavailable', `"${named}" has several models; \`[models]\` in config.toml must name one.`);
}

function noProvider(named: string | undefined): RpcError {
  const sentence =
    named === undefined
      ? 'No plugin that is installed and enabled offers a language model.'
      : `"${named}", which config.toml names for this model, is not there, not enabled, or offers none.`;
  return RpcError.of('PluginUnavailable', sentence);
}

function replyOf(output: unknown, plugin: string): ReturnType<(typeof replyShape)['parse']> {
  const parsed = replyShape.safeParse(output);
  if (parsed.success) return parsed.data;
  throw RpcError.of('InternalError', `"${plugin}" did not answer with a message.`);
}
