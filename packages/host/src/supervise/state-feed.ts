import { hostLimits } from '../limits.ts';

interface Reader<T> {
  readonly unread: T[];
  /** Lets the reader's loop look again. */
  wake: () => void;
}

/**
 * Hands every published value to every reader. A reader that does not read keeps the newest `hostLimits.changesKept`
 * values and costs nothing more.
 */
export class StateFeed<T> {
  readonly #readers = new Set<Reader<T>>();

  publish(value: T): void {
    for (const reader of this.#readers) {
      reader.unread.push(value);
      if (reader.unread.length > hostLimits.changesKept) reader.unread.shift();
      reader.wake();
    }
  }

  /** What is published from now on, until the signal aborts. Ends then; never throws. */
  read(signal: AbortSignal): AsyncIterable<T> {
    const reader: Reader<T> = { unread: [], wake: () => undefined };
    if (signal.aborted) return drain(reader, signal, () => undefined);
    const leave = (): void => {
      this.#readers.delete(reader);
      signal.removeEventListener('abort', leave);
      reader.wake();
    };
    // Here and not in the generator, whose body would only start with the first read.
    this.#readers.add(reader);
    signal.addEventListener('abort', leave);
    return drain(reader, signal, leave);
  }
}

async function* drain<T>(reader: Reader<T>, signal: AbortSignal, leave: () => void): AsyncGenerator<T, void> {
  try {
    while (!signal.aborted) {
      const value = reader.unread.shift();
      if (value !== undefined) {
        yield value;
        continue;
      }
      await new Promise<void>((resolve) => {
        reader.wake = resolve;
      });
    }
  } finally {
    leave();
  }
}
