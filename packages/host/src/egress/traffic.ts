import { hostLimits } from '../limits.ts';
import { nameOf, type Refusal, unrecorded } from './decide.ts';
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

/** Who is told what was connected and what was refused, in the words of `onRefused`. */
export interface TrafficObserver {
  allowed(target: Target): void;
  refused(asked: string): void;
}

/** What is recorded instead of a target that could not be read: it may hold anything, secrets included. */
export const unreadable = '(unreadable)';

/** Told of every decision about one launch, so that it can be recorded. */
export interface TrafficRecord {
  /** Called before the first connection to each target. What it throws refuses the connection. */
  onFirst(target: string): void;
  /** Called for each refusal. */
  onRefused(asked: string, refusal: Refusal): void;
}

/** Where more targets than are listed by name end up. */
const others = 'others';

/**
 * Counts connections by target and tells of each decision: once of each target that is allowed, and of every refusal.
 * Bounded whatever a plugin asks for.
 */
export class Traffic {
  readonly #record: TrafficRecord;
  readonly #recorded = new Set<string>();
  readonly #rows = new Map<string, { connections: number; bytesSent: number; bytesReceived: number }>();
  #observer: TrafficObserver | undefined;
  #refused = 0;

  constructor(record: TrafficRecord) {
    this.#record = record;
  }

  /** Told of each connection from now on. */
  observe(observer: TrafficObserver): void {
    this.#observer = observer;
  }

  refused(asked: string, refusal: Refusal): void {
    this.#refused += 1;
    this.#observer?.refused(asked);
    this.#record.onRefused(asked, refusal);
  }

  /** To be asked before a connection: the refusal of one that cannot be recorded, else undefined. */
  admit(target: Target): Refusal | undefined {
    const name = nameOf(target);
    const isListed = this.#recorded.has(name) || this.#recorded.size < hostLimits.trafficTargets;
    const key = isListed ? name : others;
    if (this.#recorded.has(key)) return undefined;
    try {
      this.#record.onFirst(key);
    } catch {
      return unrecorded(target);
    }
    this.#recorded.add(key);
    return undefined;
  }

  allowed(target: Target): EndOfConnection {
    const name = nameOf(target);
    const key = this.#rows.has(name) || this.#rows.size < hostLimits.trafficTargets ? name : others;
    const row = this.#rows.get(key) ?? { connections: 0, bytesSent: 0, bytesReceived: 0 };
    this.#rows.set(key, row);
    row.connections += 1;
    this.#observer?.allowed(target);
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
