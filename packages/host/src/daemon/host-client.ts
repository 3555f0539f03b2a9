import type { KeyRing, PublicKeyInfo, TrustStore } from '@mmm/bundle';
import type { ExitReason, Manifest } from '@mmm/protocol';
import type { Host, Plugin } from '../api.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { PluginState } from '../plugin-state.ts';

/** The same method, answering later: at once in this process, or from another one. */
type Later<F> = F extends (...given: infer A) => infer R ? (...given: A) => R | Promise<Awaited<R>> : never;
type LaterAll<T, K extends keyof T> = { readonly [P in K]: Later<T[P]> };

/** An own key as anybody may know it. */
export type OwnKey = PublicKeyInfo & { readonly name: string };

/** A handle of a plugin that may live in another process: facts are those of the moment in which it was asked for. */
export interface PluginClient
  extends Pick<Plugin, 'start' | 'stop' | 'restart' | 'execute' | 'complete' | 'ping' | 'changes'> {
  readonly id: string;
  readonly state: PluginState;
  readonly pid: number | null;
  readonly generation: number;
  readonly lastExit: ExitReason | null;
  readonly spec: { readonly directory: string; readonly manifest: Manifest };
}

/**
 * What a command works with: a host in its own process, or the daemon's. Everything of `Host` that does not need the
 * same process; what answers at once there may have to be waited for here, so wait for all of it.
 */
export interface HostClient
  extends Omit<
    Host,
    | 'trust'
    | 'keys'
    | 'audit'
    | 'setAside'
    | 'metricsAddress'
    | 'reloadSettings'
    | 'plugin'
    | 'develop'
    | 'register'
    | 'unregister'
    | 'close'
    | typeof Symbol.asyncDispose
  > {
  readonly trust: LaterAll<TrustStore, 'list' | 'find' | 'revocations' | 'revocationOf' | 'publisherOf' | 'rotationTo'>;
  readonly keys: LaterAll<KeyRing, 'list'> & { get(name?: string): Promise<OwnKey> };
  readonly audit: LaterAll<AuditLog, 'list' | 'verify' | 'head'> & {
    lines(): Iterable<string> | AsyncIterable<string>;
  };
  plugin(id: string): Promise<PluginClient>;
}
