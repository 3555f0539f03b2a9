import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { Prompter } from './prompter.ts';

/** One line for each prompter, however often it is handed over: a client may give the same one with each call. */
const lines = new WeakMap<Prompter, Prompter>();

/**
 * One question at a time, whatever plugins ask: two at once on one screen could be answered for each other. A
 * permission that nobody answers about within `hostLimits.promptTimeoutMs` counts as no, another question as answered
 * by nobody; the time before it is shown does not count.
 */
export function inTurn(prompter: Prompter, clock: Pick<Clock, 'sleep'>): Prompter {
  const known = lines.get(prompter);
  if (known !== undefined) return known;
  let before: Promise<unknown> = Promise.resolve();
  const next = <T>(put: (gone: AbortSignal) => Promise<T>, onLate: () => T, gone?: AbortSignal): Promise<T> => {
    const answer = before.then(() => shown(put, onLate, clock, gone));
    before = answer.catch(() => undefined);
    return answer;
  };
  const line: Prompter = {
    ask: (request) =>
      next(
        () => prompter.ask(request),
        () => 'deny' as const,
      ),
    ...(prompter.prompt === undefined
      ? {}
      : { prompt: (question, signal) => next((gone) => put(prompter, question, gone), nobodyAnswered, signal) }),
  };
  lines.set(prompter, line);
  lines.set(line, line);
  return line;
}

type Put = NonNullable<Prompter['prompt']>;

async function put(prompter: Prompter, ...[question, gone]: Parameters<Put>): ReturnType<Put> {
  return (await prompter.prompt?.(question, gone)) ?? '';
}

/** Shows one question and waits for the answer, for its time, or until nobody wants the answer any more. */
async function shown<T>(
  put: (gone: AbortSignal) => Promise<T>,
  onLate: () => T,
  clock: Pick<Clock, 'sleep'>,
  asker?: AbortSignal,
): Promise<T> {
  asker?.throwIfAborted();
  const over = new AbortController();
  const late = clock.sleep(hostLimits.promptTimeoutMs, over.signal).then(onLate, onLate);
  late.catch(() => undefined);
  const onGone = (): void => over.abort(asker?.reason);
  asker?.addEventListener('abort', onGone, { once: true });
  const gone = new Promise<never>((_resolve, reject) => {
    if (asker === undefined) return;
    over.signal.addEventListener('abort', () => asker.aborted && reject(asker.reason), { once: true });
  });
  gone.catch(() => undefined);
  try {
    return await Promise.race([put(over.signal), gone, late]);
  } finally {
    asker?.removeEventListener('abort', onGone);
    over.abort(new Error('the question is over'));
  }
}

function nobodyAnswered(): never {
  throw new Error(`nobody answered within ${hostLimits.promptTimeoutMs / 60_000} minutes`);
}
