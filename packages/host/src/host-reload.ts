import type { HostMetrics } from './api-metrics.ts';
import type { HostReload, ReloadReport, RollbackReport } from './api-reload.ts';
import { checkArguments } from './arguments.ts';
import type { HostParts } from './host-parts.ts';
import { KeyMethods } from './key-methods.ts';

/** What a host says about reloads and metrics, see `HostReload` and `HostMetrics`. */
export class ReloadMethods extends KeyMethods implements HostReload, HostMetrics {
  readonly metricsAddress: string | null;
  readonly #host: Pick<HostParts, 'reloads' | 'updates' | 'catalog' | 'assertOpen'>;

  constructor(parts: HostParts) {
    super(parts.decisions, () => parts.assertOpen());
    this.#host = parts;
    this.metricsAddress = parts.endpoint?.address ?? null;
  }

  async reload(id: string): Promise<ReloadReport> {
    this.#host.assertOpen();
    checkArguments('a method of the host', { id });
    return await this.#host.reloads.reload(id, { start: true });
  }

  async rollback(id: string): Promise<RollbackReport> {
    this.#host.assertOpen();
    checkArguments('a method of the host', { id });
    await this.#host.catalog.find(id);
    const report = await this.#host.updates.rollback(id);
    this.#host.catalog.refresh();
    return report;
  }
}
