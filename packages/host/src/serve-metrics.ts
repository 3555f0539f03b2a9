import { MmmError } from '@mmm/protocol';
import { type MetricsEndpoint, serveMetrics } from './metrics/endpoint.ts';
import type { ResolvedOptions } from './options.ts';
import { listenAddressOf } from './settings/metrics.ts';

/** Serves the metrics of a host where its program or its settings say so. Throws CONFIG_INVALID when that cannot be. */
export async function openMetrics(
  { metrics, settings }: Pick<ResolvedOptions, 'metrics' | 'settings'>,
  text: () => Promise<string>,
): Promise<MetricsEndpoint | undefined> {
  if (metrics === undefined) return undefined;
  const given = metrics.listen ?? settings.metrics?.listen;
  const address = given === undefined ? undefined : listenAddressOf(given);
  if (address === undefined) return undefined;
  try {
    return await serveMetrics(address, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const file = metrics.listen === undefined ? settings.file : 'options';
    const path = 'metrics.listen';
    const message = `The metrics cannot be served on ${given}: ${reason}. Change ${path} in ${file}, or leave it out.`;
    throw new MmmError('CONFIG_INVALID', message, { file, issues: [{ path, message: reason }] });
  }
}
