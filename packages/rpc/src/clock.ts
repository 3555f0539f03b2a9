import { performance } from 'node:perf_hooks';

/** Something that will happen later and may still be called off. */
export interface Timer {
  /** Calls it off. Harmless when it already ran. */
  cancel(): void;
  /** Lets the process exit before it ran. Returns itself, so that it can be chained. */
  unref(): Timer;
  /** Keeps the process alive again until it ran. */
  ref(): Timer;
}

/** The only way to the time. Handed to everything that waits, so that tests need not. */
export interface Clock {
  /** The wall clock, in milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds since some moment in the past. Never goes back. */
  monotonic(): number;
  /** Runs `run` once, `ms` milliseconds from now and not before. Keeps the process alive till then, unless unref'd. */
  after(ms: number, run: () => void): Timer;
  /** Resolves after `ms` milliseconds. Rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs `run` after the input and output that is due now was handled. */
  immediate(run: () => void): void;
}

/** setTimeout takes at most a signed 32-bit number and fires at once beyond it. */
const longestTimeoutMs = 2 ** 31 - 1;

/**
 * A timer of the runtime counts whole milliseconds, so that it may fire before its time by the clock that deadlines are
 * reckoned by. Then it is set again for what is left.
 */
function after(ms: number, run: () => void): Timer {
  const dueMs = performance.now() + ms;
  let isReferenced = true;
  const fire = (): void => {
    const leftMs = dueMs - performance.now();
    if (leftMs <= 0) {
      run();
      return;
    }
    handle = setTimeout(fire, timeoutFor(leftMs));
    if (!isReferenced) handle.unref();
  };
  let handle = setTimeout(fire, timeoutFor(ms));
  const timer: Timer = {
    cancel: () => clearTimeout(handle),
    unref: () => {
      isReferenced = false;
      handle.unref();
      return timer;
    },
    ref: () => {
      isReferenced = true;
      handle.ref();
      return timer;
    },
  };
  return timer;
}

function timeoutFor(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms), 0), longestTimeoutMs);
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The real time. The only place in the project that touches the runtime's timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
  sleep,
  immediate: (run) => {
    setImmediate(run);
  },
};
