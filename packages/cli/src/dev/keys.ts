import type { Io } from '../io.ts';

export type Key = 'call' | 'restart' | 'quit' | 'interrupt';

const meanings: Readonly<Record<string, Key>> = {
  c: 'call',
  '\r': 'call',
  '\n': 'call',
  r: 'restart',
  q: 'quit',
  '\u0003': 'interrupt',
  '\u0004': 'quit',
};

interface RawInput {
  setRawMode(on: boolean): unknown;
}

/**
 * Reads single keys from a terminal; undefined where stdin is none. What it returns gives the terminal back, and must
 * be called on every way out, or the shell afterwards shows nothing that is typed.
 */
export function readKeys(io: Io, onKey: (key: Key) => void): (() => void) | undefined {
  const stdin = io.stdin as Io['stdin'] & Partial<RawInput>;
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return undefined;
  const onData = (chunk: Buffer | string): void => {
    for (const letter of String(chunk)) {
      const key = meanings[letter];
      if (key !== undefined) onKey(key);
    }
  };
  stdin.setRawMode(true);
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.setRawMode?.(false);
    stdin.pause();
  };
}
