import { type Permission, permissionKey, RpcError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { AuditSink } from '../audit/audit-log.ts';
import { hostLimits } from '../limits.ts';
import { covers } from './covers.ts';
import { grantCommand } from './permit.ts';
import type { PermittedPlugin } from './permitted.ts';

/** What the check needs to know of a plugin: who it is and what it was granted, as of now. */
export type Grantee = Pick<PermittedPlugin, 'granted'> & { readonly spec: { readonly id: string } };

/** Refusals of one plugin within the current minute, which may have become longer. */
interface Refusals {
  sinceMs: number;
  minuteMs: number;
  recorded: number;
  unrecorded: number;
}

export interface GuardServices {
  readonly audit: AuditSink;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Told of each refusal, also of those that are only counted. */
  onRefused?(plugin: string): void;
}

/**
 * Checks what a plugin asks of the host against its grants, at each call. Refusals are audited, at most
 * `hostLimits.refusalsRecordedPerMinute` of one plugin: each takes a write to the disk, and a plugin that asks in a
 * loop must not get one each time. The minute grows while it goes on. The number of the others stands in the next one
 * that is recorded.
 */
export class PermissionGuard {
  readonly #onRefused: GuardServices['onRefused'];
  readonly #audit: AuditSink;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #refusals = new Map<string, Refusals>();

  constructor(services: GuardServices) {
    this.#onRefused = services.onRefused;
    this.#audit = services.audit;
    this.#clock = services.clock;
  }

  /**
   * Returns when one of the grants covers it, else throws RpcError PermissionDenied and records the refusal. `entry` is
   * what the manifest asks for that would cover it; without one a grant would be refused, and the message says so.
   */
  enforce(plugin: Grantee, permission: Permission, entry?: Permission): void {
    if (plugin.granted.some((granted) => covers(granted, permission))) return;
    const { id } = plugin.spec;
    const key = permissionKey(permission);
    this.refused(id, { permission: key });
    const next =
      entry === undefined
        ? 'Its manifest does not ask for it.'
        : `The user can run: ${grantCommand(id, [permissionKey(entry)])}`;
    throw RpcError.of('PermissionDenied', `Plugin "${id}" was not granted ${key}. ${next}`, { permission: key });
  }

  /** Records how many refusals of a plugin were only counted. Called when its session ends. */
  ended(id: string): void {
    const refusals = this.#refusals.get(id);
    this.#refusals.delete(id);
    if (refusals !== undefined && refusals.unrecorded > 0) this.#append(id, { unrecorded: refusals.unrecorded });
  }

  /** Records a refusal that was decided elsewhere, under the same bound. Never throws: the refusal stands anyway. */
  refused(id: string, detail: Readonly<Record<string, unknown>>): void {
    this.#onRefused?.(id);
    const nowMs = this.#clock.monotonic();
    let refusals = this.#refusals.get(id);
    if (refusals === undefined || nowMs - refusals.sinceMs >= refusals.minuteMs) {
      refusals = { sinceMs: nowMs, minuteMs: nextMinute(refusals), recorded: 0, unrecorded: refusals?.unrecorded ?? 0 };
      this.#refusals.set(id, refusals);
    }
    if (refusals.recorded >= hostLimits.refusalsRecordedPerMinute) {
      refusals.unrecorded += 1;
      return;
    }
    refusals.recorded += 1;
    const { unrecorded } = refusals;
    refusals.unrecorded = 0;
    if (!this.#append(id, { ...detail, ...(unrecorded === 0 ? {} : { unrecorded }) })) {
      refusals.unrecorded = unrecorded + 1;
    }
  }

  /** The refusal stands also when it cannot be recorded. */
  #append(id: string, detail: Readonly<Record<string, unknown>>): boolean {
    try {
      this.#audit.append({ action: 'refused', plugin: id, detail });
      return true;
    } catch {
      return false;
    }
  }
}

/** How long the next minute is: twice the last one if that was too short, and a real one otherwise. */
function nextMinute(last: Refusals | undefined): number {
  if (last === undefined || last.unrecorded === 0) return 60_000;
  return Math.min(last.minuteMs * 2, hostLimits.refusalsMinuteMaxMs);
}
