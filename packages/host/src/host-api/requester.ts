import type { Permission } from '@mmm/protocol';
import type { HandlerContext } from '@mmm/rpc';
import type { OpenCall } from '../clients/open-calls.ts';

/** The plugin that asks something of the host: one for each life of it. */
export interface Requester {
  /** Its id. */
  readonly plugin: string;
  /** The name its decisions are kept under: differs from the id for plugins of a project. */
  readonly recordId: string;
  /** Who signed it. With `recordId` the name its data are kept under. */
  readonly publisher: string;
  /** What it may do by now. */
  granted(): readonly Permission[];
  /** Whether it may by now; asks nobody and records nothing. */
  has(permission: Permission): boolean;
  /**
   * Returns when it may: when it is granted now, after a question to the user whose call this is if need be. Throws
   * RpcError PermissionDenied, which is counted and audited.
   */
  need(permission: Permission, request?: Pick<HandlerContext, 'callId'>): Promise<void>;
  /**
   * Asks before it is needed: whether it may now, and whether for no longer than this host lives. Nobody is asked
   * without a request, and a no is audited.
   */
  offer(
    permission: Permission,
    request: Pick<HandlerContext, 'callId'> | undefined,
  ): Promise<{ readonly granted: boolean; readonly once: boolean }>;
  /** The call of the host that the request is part of, if it is open: who may be asked, and what led to it. */
  call(request: Pick<HandlerContext, 'callId'>): OpenCall | undefined;
}
