/**
 * An iterable over what a producer hands over, in order. The producer begins when somebody iterates; its signal aborts
 * when they leave, and when `signal` aborts, which is the end and no error. Throws what the producer rejects with.
 */
export async function* itemsOf(
  produce: (onItems: (items: readonly unknown[]) => void, ended: AbortSignal) => Promise<unknown>,
  signal?: AbortSignal,
): AsyncGenerator<unknown, void, undefined> {
  const left = new AbortController();
  const ended = signal === undefined ? left.signal : AbortSignal.any([left.signal, signal]);
  const waiting: unknown[] = [];
  let wake: () => void = () => undefined;
  let outcome: { readonly error?: unknown } | undefined;
  const settle = (result: { readonly error?: unknown }): void => {
    outcome = result;
    wake();
  };
  const onItems = (items: readonly unknown[]): void => {
    waiting.push(...items);
    wake();
  };
  produce(onItems, ended).then(
    () => settle({}),
    (error: unknown) => settle({ error }),
  );
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift();
      if (outcome !== undefined) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    left.abort();
  }
  if ('error' in outcome && signal?.aborted !== true) throw outcome.error;
}
