import {
  type CapabilityRef,
  hostMethods,
  type Params,
  type Permission,
  type ProgressValue,
  RpcError,
} from '@mmm/protocol';
import { type HandlerContext, onRequest, type RequestEntry } from '@mmm/rpc';
import { type Link, linkTo } from './links.ts';
import type { Outgoing } from './outgoing.ts';
import type { Offer, Peer, Peers } from './peers.ts';
import { relayedError } from './relayed-error.ts';
import type { Requester } from './requester.ts';

export interface ComposeServices {
  readonly peers: Peers;
  readonly outgoing: Outgoing;
}

/**
 * Capabilities of other plugins, called under the caller's `compose` grants. The call is one of the host's like any
 * other: checked, queued, limited and counted at the plugin that is called, which has its own permissions.
 */
export function composeRequests(
  requester: Requester,
  { peers, outgoing }: ComposeServices,
): Readonly<Record<'execute_capability', RequestEntry>> {
  return {
    execute_capability: onRequest(hostMethods.execute_capability, async (params, request) => {
      const { plugin, name, peer, capability } = await meant(params, requester, peers, request);
      await requester.need({ kind: 'compose', plugin, capability: name }, request);
      if (peer === undefined || capability === undefined) throw missing(plugin, name);
      const link = linkTo(plugin, requester, request);
      return await outgoing.within(requester.plugin, params.input, 1, () =>
        link.serve(async () => ({ output: await execute(peer, capability, params.input, link, requester) })),
      );
    }),
  };
}

/** Runs it for the client of the call that it is part of. What it reports goes there, too. */
export async function execute(
  peer: Peer,
  capability: CapabilityRef,
  input: unknown,
  { parent, signal }: Pick<Link, 'parent' | 'signal'>,
  requester: Pick<Requester, 'plugin'>,
  onChunk?: (chunk: ProgressValue & { readonly kind: 'chunk' }) => Promise<void>,
): Promise<unknown> {
  const onProgress = (value: ProgressValue): void | Promise<void> => {
    if (value.kind === 'chunk') return onChunk?.(value);
    parent?.report(value);
  };
  const caller = { kind: 'plugin' as const, id: requester.plugin };
  const trace = parent?.traceparent;
  const context = trace === undefined ? { caller } : { caller, traceparent: trace };
  try {
    return await peer.execute(capability, input, { signal, onProgress, context, parent });
  } catch (error) {
    throw relayedError(error, peer.id);
  }
}

interface Meant {
  readonly plugin: string;
  /** As the grant names it: the capability's own name, or what was asked for when there is none. */
  readonly name: string;
  readonly peer?: Peer;
  readonly capability?: CapabilityRef;
}

/**
 * What is missing is said only to a plugin that may call it. Without a plugin the name must mean one of those that the
 * caller may call, or the only one that there is.
 */
async function meant(
  { plugin, capability: asked }: Params<typeof hostMethods.execute_capability>,
  requester: Requester,
  peers: Peers,
  request: Pick<HandlerContext, 'callId'>,
): Promise<Meant> {
  if (plugin === undefined) return await theOne(asked, requester, peers, request);
  try {
    const peer = await peers.open(plugin);
    const capability = peer.find(asked);
    return { plugin, name: capability.name, peer, capability };
  } catch {
    return { plugin, name: asked };
  }
}

async function theOne(
  asked: string,
  requester: Requester,
  peers: Peers,
  request: Pick<HandlerContext, 'callId'>,
): Promise<Meant> {
  const isMeant = ({ kind, name }: CapabilityRef): boolean => name === asked || `${kind}:${name}` === asked;
  const offers = (await peers.offers(isMeant)).filter((offer) => offer.plugin !== requester.plugin);
  const callable = offers.filter((offer) => requester.has(needed(offer)));
  const candidates = callable.length === 0 ? offers : callable;
  const [first, second] = candidates;
  if (first === undefined) throw missing(undefined, asked);
  if (second !== undefined) {
    // Which plugins there are is not for everybody: only those it may call are named.
    await requester.need(needed(first), request);
    const names = candidates.map((offer) => `"${offer.plugin}"`).join(', ');
    throw RpcError.of('InvalidParams', `Several plugins have "${asked}": ${names}. Name the one you mean.`);
  }
  const peer = await peers.open(first.plugin);
  return { plugin: first.plugin, name: first.capability.name, peer, capability: first.capability };
}

function needed({ plugin, capability }: Offer): Permission {
  return { kind: 'compose', plugin, capability: capability.name };
}

function missing(plugin: string | undefined, capability: string): RpcError {
  const where = plugin === undefined ? 'No plugin' : `Plugin "${plugin}" is not there or`;
  return RpcError.of(
    'UnknownCapability',
    `${where} has ${plugin === undefined ? 'a' : 'no'} capability "${capability}".`,
  );
}
