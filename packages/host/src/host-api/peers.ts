import type { CallContext, CapabilityRef, Method, ParamsInput, ProgressValue, Result } from '@mmm/protocol';
import type { CallOrigin, OpenCall } from '../clients/open-calls.ts';

/** One plugin as requests of other plugins reach it. What its methods reject with is an MmmError. */
export interface Peer {
  readonly id: string;
  /** The capability that is meant by a name or alias. Throws CAPABILITY_NOT_FOUND. */
  find(capability: string): CapabilityRef;
  execute(capability: CapabilityRef, input: unknown, call: PeerCall): Promise<unknown>;
  /** Starts it if need be. */
  request<M extends Method>(method: M, params: ParamsInput<M>, options: PeerRequest): Promise<Result<M>>;
}

export interface PeerCall {
  readonly signal: AbortSignal;
  readonly onProgress?: ((value: ProgressValue) => void) | undefined;
  readonly context: Pick<CallContext, 'caller'> & Partial<Pick<CallContext, 'traceparent'>>;
  /** The call that it is part of: it is for the same client, and ends with it. */
  readonly parent: OpenCall | undefined;
}

export interface PeerRequest {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly origin: CallOrigin;
  readonly onSent: () => void;
}

/** A capability and whose it is. */
export interface Offer {
  readonly plugin: string;
  readonly capability: CapabilityRef;
}

/** The plugins of a host. */
export interface Peers {
  /** Starts nothing. Throws PLUGIN_NOT_FOUND, or why its folder is refused. */
  open(id: string): Promise<Peer>;
  /** Those that run now. */
  running(): readonly Peer[];
  /** Every capability of an enabled plugin for which this is true. */
  offers(isWanted: (capability: CapabilityRef) => boolean): Promise<readonly Offer[]>;
}
