/** One row of the results. Times in microseconds for calls, in milliseconds for everything slower. */
export interface Result {
  readonly name: string;
  /** Bytes of the text that is sent and comes back. */
  readonly size?: number;
  readonly p50_us?: number;
  readonly p99_us?: number;
  /** With 64 in flight. */
  readonly calls_per_s?: number;
  /** Median over the rounds of this round trip divided by the bare pipe's of the same round. */
  readonly ratio_to_pipe?: number;
  readonly p50_ms?: number;
  readonly p99_ms?: number;
  /** Median over the rounds of what it takes longer than what it is compared with in the same round. */
  readonly overhead_ms?: number;
  readonly kb?: number;
  readonly cpu_percent?: number;
}

/** What was aimed at, and what came out. */
export interface Goal {
  readonly text: string;
  readonly value: number;
  readonly max: number;
}

/** What one group of measurements hands back. */
export interface Outcome {
  readonly results: readonly Result[];
  readonly goals: readonly Goal[];
}

/** What a group of measurements is given. */
export interface Bench {
  /** A folder of its own, removed afterwards. */
  readonly folder: string;
  /** At least 30, unless somebody wants a quick look. */
  readonly rounds: number;
  /** A line about what is going on, for people. */
  say(text: string): void;
}
