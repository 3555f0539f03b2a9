import { RpcError } from '@mmm/protocol';
import type { HandlerContext } from '@mmm/rpc';
import type { OpenCall } from '../clients/open-calls.ts';
import { hostLimits } from '../limits.ts';
import type { Requester } from './requester.ts';

/** The call that a request to another plugin is part of, after the check that the way there has an end. */
export interface Link {
  readonly parent: OpenCall | undefined;
  /** Aborts when the plugin takes its request back, when it ends, and when the call it was for is settled. */
  readonly signal: AbortSignal;
  /** Does the work while the plugin that waits for it is not taken for silent. */
  serve<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Throws InvalidParams, with the whole chain, when the target waits for this very request somewhere up the chain, and
 * when the chain is longer than `hostLimits.composeDepth`: messages and calls count alike.
 */
export function linkTo(target: string, requester: Requester, request: HandlerContext): Link {
  const parent = requester.call(request);
  const chain = parent?.chain ?? [requester.plugin];
  const whole = [...chain, target];
  if (chain.includes(target)) {
    const way = whole.join(' → ');
    const sentence = `"${target}" would wait for itself: ${way}. Answer it instead of asking it back.`;
    throw RpcError.of('InvalidParams', sentence, { reason: 'cycle', chain: whole });
  }
  if (chain.length > hostLimits.composeDepth) {
    const way = whole.join(' → ');
    const sentence = `Plugins may ask plugins ${hostLimits.composeDepth} deep, and this is deeper: ${way}.`;
    throw RpcError.of('InvalidParams', sentence, { reason: 'depth', chain: whole });
  }
  const signal = parent === undefined ? request.signal : AbortSignal.any([request.signal, parent.ended]);
  return { parent, signal, serve: (work) => (parent === undefined ? work() : parent.whileServed(work)) };
}
