import type { AuditSink } from './audit/audit-log.ts';
import { Egress } from './egress/egress.ts';
import { lookupBySystem } from './egress/resolver.ts';
import type { ResolvedOptions } from './options.ts';

export interface NetworkAuditParts {
  readonly options: Pick<ResolvedOptions, 'clock' | 'home' | 'lookup'>;
  readonly audit: AuditSink;
  /** Records a refusal, within the bounds for all refusals of one plugin. Never throws. */
  refused(plugin: string, detail: Readonly<Record<string, unknown>>): void;
}

/**
 * The network of all plugins of a host, every decision of it in the audit log: the first connection of a launch to each
 * target before it is made (`connect`), refusals as they happen (`refused`), and what each launch did in numbers when
 * it has ended (`network`).
 */
export function openEgress({ options, audit, refused }: NetworkAuditParts): Egress {
  return new Egress({
    runDirectory: options.home.run,
    lookup: options.lookup ?? lookupBySystem,
    clock: options.clock,
    onAllowed: (plugin, target) => audit.append({ action: 'connect', plugin, detail: { network: target } }),
    onRefused: (plugin, target, { reason }) => refused(plugin, { network: target, reason }),
    onTraffic: (plugin, { allowed, refused: refusals }) => {
      try {
        audit.append({ action: 'network', plugin, detail: { allowed, refused: refusals } });
      } catch {
        // The launch is over: nothing is left that could be refused.
      }
    },
  });
}
