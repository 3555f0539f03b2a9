import type { ExitReason } from '@mmm/protocol';

/** How the call that carries a fault must end. */
export type Expected =
  /** With its right answer, whatever came before it. */
  | 'answer'
  /** With PLUGIN_EXITED and a reason for which this is true. */
  | ((reason: ExitReason) => boolean);

export interface Fault {
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  /** Asked of the plugin in a call, or done to its processes from outside while calls are in flight. */
  readonly by: 'call' | 'host';
  readonly expected: Expected;
}

const exits3 = (reason: ExitReason): boolean => reason.kind === 'exit' && reason.code === 3;
const signals = (name: string) => (reason: ExitReason) => reason.kind === 'signal' && reason.signal === name;
const silent = (reason: ExitReason): boolean => reason.kind === 'unresponsive' || reason.kind === 'protocol';

/**
 * Everything that is done to plugins. The slow ones, which only silence gives away, are rare: each takes its plugin out
 * for seconds, and a run is judged by how many faults it survives.
 */
export const faults = {
  'killed, sandbox and all': { weight: 14, by: 'host', expected: signals('SIGKILL') },
  'killed inside its sandbox': { weight: 12, by: 'host', expected: signals('SIGKILL') },
  kill: { weight: 8, by: 'call', expected: signals('SIGKILL') },
  segv: { weight: 14, by: 'call', expected: signals('SIGSEGV') },
  abort: { weight: 6, by: 'call', expected: signals('SIGABRT') },
  exit: { weight: 16, by: 'call', expected: exits3 },
  half: { weight: 5, by: 'call', expected: exits3 },
  orphan: { weight: 5, by: 'call', expected: exits3 },
  lie: { weight: 5, by: 'call', expected: 'answer' },
  'flood-stdout': { weight: 3, by: 'call', expected: 'answer' },
  'flood-stderr': { weight: 3, by: 'call', expected: 'answer' },
  'flood-log': { weight: 3, by: 'call', expected: 'answer' },
  hang: { weight: 3, by: 'call', expected: silent },
  stop: { weight: 2, by: 'call', expected: silent },
  close: { weight: 1, by: 'call', expected: silent },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof faults;

export const faultNames = Object.keys(faults) as readonly FaultName[];
