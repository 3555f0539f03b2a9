import type { LogLevel } from '@mmm/protocol';

export interface MetricsOptions {
  /**
   * `ADDRESS:PORT` (port 0: any free one), or the absolute path of a unix socket. Default: what `[metrics]` of
   * config.toml says, and nowhere when it says nothing.
   */
  readonly listen?: string;
}

export interface HostMetrics {
  /** Where `GET /metrics` is answered: a URL, or the path of a socket; null when it is not served. */
  readonly metricsAddress: string | null;
}

/** Which lines of a log are wanted. */
export interface LogOptions {
  /** How many at most. Default: 200. */
  readonly lines?: number;
  /** Only lines from then on. */
  readonly since?: Date;
  /** Only lines of this level and those above it. Default: all. */
  readonly level?: LogLevel;
}
