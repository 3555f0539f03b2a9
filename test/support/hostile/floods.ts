import type { HostileRow } from './row.ts';

/** Lines of each flood. Each is so many megabytes that none of them fits into a pipe or a queue. */
const times = {
  garbage: 300_000,
  newlines: 5_000_000,
  braces: 300_000,
  stderr: 1_000_000,
  log: 100_000,
  unknown: 100_000,
  acks: 100_000,
  cancels: 100_000,
  replies: 100_000,
  progress: 100_000,
  headers: 200_000,
  requests: 100_000,
  'invalid-requests': 50_000,
} as const;

/** Floods by one plugin, while another one is called. */
export const floodRows: readonly HostileRow[] = Object.entries(times).map(([what, count]) => ({
  that: `floods the host with ${count} ${what}`,
  fixture: 'floods-natively',
  words: `${what} ${count}`,
}));
