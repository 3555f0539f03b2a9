import { hostLimits } from '../limits.ts';
import { nameOf, type Refusal } from './decide.ts';
import type { Target } from './rule.ts';

export interface TrafficRow {
  /** `h:443`, or `others` for those beyond the limit. */
  readonly target: string;
  readonly connections: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** What one plugin did with its network, for the audit log. */
export interface TrafficSummary {
  readonly allowed: readonly TrafficRow[];
  readonly refused: number;
}

/** Takes what one connection carried; called once, when it ends. */
export type EndOfConnection = (bytesSent: number, bytesReceived: number) => void;

/** Counts connections by target and tells of each refusal. Bounded whatever a plugin asks for. */
export class Traffic {
  readonly #onRefused: (asked: string, refusal: Refusal) => void;
  readonly #rows = new Map<string, { connections: number; bytesSent: number; bytesReceived: number }>();
  #refused = 0;

  constructor(onRefused: (asked: string, refusal: Refusal) => void) {
    this.#onRefused = onRefused;
  }

  refused(asked: string, refusal: Refusal): void {
    this.#refused += 1;
    this.#onRefused(asked, refusal);
  }

  allowed(target: Target): EndOfConnection {
    const name = nameOf(target);
    const key = this.#rows.has(name) || this.#rows.size < hostLimits.trafficTargets ? name : 'others';
    const row = this.#rows.get(key) ?? { connections: 0, bytesSent: 0, bytesReceived: 0 };
    this.#rows.set(key, row);
    row.connections += 1;
    return (bytesSent, bytesReceived) => {
      row.bytesSent += bytesSent;
      row.bytesReceived += bytesReceived;
    };
  }

  /** Undefined when nothing was asked for. */
  summary(): TrafficSummary | undefined {
    if (this.#rows.size === 0 && this.#refused === 0) return undefined;
    return { allowed: [...this.#rows].map(([target, row]) => ({ target, ...row })), refused: this.#refused };
  }
}
