import { randomUUID } from 'node:crypto';
import {
  hostMethods,
  type Params,
  type Permission,
  pluginMethods,
  RpcError,
  wireErrorName,
  wireErrors,
} from '@mmm/protocol';
import { type Clock, type HandlerContext, onRequest, type RequestEntry } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { Lanes } from './lanes.ts';
import { type Link, linkTo } from './links.ts';
import type { Outgoing } from './outgoing.ts';
import type { Peer, Peers } from './peers.ts';
import { relayedError } from './relayed-error.ts';
import type { Requester } from './requester.ts';

export interface MessageServices {
  readonly peers: Peers;
  readonly outgoing: Outgoing;
  readonly lanes: Lanes;
  readonly clock: Pick<Clock, 'monotonic'>;
}

type Message = Pick<Params<typeof hostMethods.send_message>, 'kind' | 'payload' | 'metadata' | 'timeout_ms'>;
type MessageMethod = 'send_message' | 'broadcast_message';

/**
 * Messages between plugins. Those of one sender to one receiver are handed over in the order in which they were sent;
 * nothing is kept: a receiver that cannot be started or does not answer in time is an error of the sender's.
 */
export function messageRequests(
  requester: Requester,
  services: MessageServices,
): Readonly<Record<MessageMethod, RequestEntry>> {
  const { peers, outgoing } = services;
  return {
    send_message: onRequest(hostMethods.send_message, async (params, request) => {
      const { target } = params;
      await requester.need(to(target), request);
      const link = linkTo(target, requester, request);
      return await outgoing.within(requester.plugin, params.payload, 1, () =>
        link.serve(async () => {
          const peer = await peers.open(target).catch((error: unknown) => Promise.reject(relayedError(error, target)));
          return await deliver(params, target, { peer, link, requester, services });
        }),
      );
    }),
    broadcast_message: onRequest(hostMethods.broadcast_message, async (params, request) => {
      if (!requester.granted().some(({ kind }) => kind === 'messages')) await requester.need(to('*'), request);
      const receivers = peers.running().filter(({ id }) => id !== requester.plugin && requester.has(to(id)));
      return await outgoing.within(requester.plugin, params.payload, receivers.length, () =>
        Promise.all(receivers.map((peer) => entryOf(peer, params, { requester, request, services }))),
      );
    }),
  };
}

interface Sending {
  readonly peer: Peer;
  readonly link: Link;
  readonly requester: Requester;
  readonly services: MessageServices;
}

async function deliver(message: Message, target: string | null, sending: Sending): Promise<{ payload: unknown }> {
  const { peer, link, requester, services } = sending;
  const { kind, payload, metadata } = message;
  const params = { id: randomUUID(), source: requester.plugin, target, kind, payload, metadata };
  const lane = `${requester.plugin} ${peer.id}`;
  try {
    return await services.lanes.enter(lane, link.signal, (onSent) => {
      const { signal } = link;
      const origin = { parent: link.parent, prompter: link.parent?.origin.prompter };
      const timeoutMs = timeOf(message, link, services.clock);
      return peer.request(pluginMethods.handle_message, params, { timeoutMs, signal, origin, onSent });
    });
  } catch (error) {
    throw unsupported(relayedError(error, peer.id), peer.id, kind);
  }
}

/** Never rejects: a receiver that is slow, gone or refuses is an entry like the others, after the deadline at last. */
async function entryOf(
  peer: Peer,
  message: Message,
  { requester, request, services }: { requester: Requester; request: HandlerContext; services: MessageServices },
) {
  try {
    const link = linkTo(peer.id, requester, request);
    const { payload } = await link.serve(() => deliver(message, null, { peer, link, requester, services }));
    return { source: peer.id, payload };
  } catch (thrown) {
    const error = thrown instanceof RpcError ? thrown : RpcError.of('InternalError', `"${peer.id}" was not reached.`);
    const name = wireErrorName(error.code);
    const known = name === undefined ? undefined : wireErrors[name];
    const usual = known === undefined ? {} : { kind: known.kind, retryable: known.retryable };
    return { source: peer.id, error: { code: error.code, message: error.message, data: error.data ?? usual } };
  }
}

/** The sender's own limit within the host's, and within what is left to the call that the message is part of. */
function timeOf({ timeout_ms: asked }: Message, { parent }: Link, clock: Pick<Clock, 'monotonic'>): number {
  const own = Math.min(asked ?? hostLimits.callIdleTimeoutMs, hostLimits.callTimeoutMaxMs);
  return parent === undefined ? own : Math.max(1, Math.min(own, parent.endsAtMs - clock.monotonic()));
}

/** A plugin without `handle_message` takes no kind of message. */
function unsupported(error: unknown, target: string, kind: string): unknown {
  if (!(error instanceof RpcError) || !error.is('MethodNotFound')) return error;
  return RpcError.of('UnsupportedMessage', `"${target}" takes no messages, so no ${kind} either.`);
}

function to(target: string): Permission {
  return { kind: 'messages', to: target };
}
