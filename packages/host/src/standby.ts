import type { Session } from './handshake/session.ts';
import type { StandbyLaunch } from './launch.ts';
import type { Spare } from './supervise/spares.ts';

export interface StandbyServices {
  /** `loaded`: started only. `initialized`: answered initialize. */
  readonly kind: 'loaded' | 'initialized';
  launch(signal: AbortSignal, standby: StandbyLaunch): Promise<Session>;
  /** As what a launch would be admitted now. Throws why it would not. Asks nobody and starts nothing. */
  admission(): Promise<string>;
  /** Monotonic milliseconds. */
  now(): number;
}

/**
 * Starts a process ahead of its use, through every stage of a launch. Used only as long as a launch at that moment
 * would be admitted as the same: what was revoked, granted or configured since ends it.
 */
export async function prepareSpare(services: StandbyServices, signal: AbortSignal): Promise<Spare> {
  return services.kind === 'loaded' ? await loadedSpare(services, signal) : await initializedSpare(services, signal);
}

async function initializedSpare({ launch, admission }: StandbyServices, signal: AbortSignal): Promise<Spare> {
  let admittedAs = '';
  const session = await launch(signal, {
    admitted: (as) => {
      admittedAs = as;
    },
  });
  return {
    ended: session.exited.then(() => undefined),
    take: async () => {
      if ((await isStill(admittedAs, admission)) && !session.connection.isClosed) return session;
      void session.stop('it was made for other circumstances');
      return undefined;
    },
    drop: async (reason) => {
      await session.stop(reason);
    },
  };
}

async function loadedSpare(services: StandbyServices, signal: AbortSignal): Promise<Spare> {
  const { launch, admission, now } = services;
  let admittedAs = '';
  const end = new AbortController();
  const endWith = (other: AbortSignal): void => {
    if (other.aborted) end.abort(other.reason);
    else other.addEventListener('abort', () => end.abort(other.reason), { once: true });
  };
  endWith(signal);
  const wanted = new AbortController();
  let onHeld: (exited: Promise<unknown>) => void = () => undefined;
  const held = new Promise<{ readonly exited: Promise<unknown> }>((resolve) => {
    onHeld = (exited) => resolve({ exited });
  });
  const session = launch(end.signal, {
    admitted: (as) => {
      admittedAs = as;
    },
    hold: async (child) => {
      const sinceMs = now();
      onHeld(child.exited);
      // What ended meanwhile tells so in the handshake.
      await Promise.race([aborted(wanted.signal), child.exited, aborted(end.signal)]);
      end.signal.throwIfAborted();
      return now() - sinceMs;
    },
  });
  const gone = session.then(
    () => undefined,
    () => undefined,
  );
  const { exited } = await Promise.race([held, session.then(() => ({ exited: Promise.resolve() }))]);
  return {
    ended: Promise.race([exited, gone]).then(() => undefined),
    take: async (taking) => {
      if (!(await isStill(admittedAs, admission))) {
        end.abort(new Error('it was made for other circumstances'));
        return undefined;
      }
      endWith(taking);
      wanted.abort();
      return await session;
    },
    drop: async (reason) => {
      end.abort(new Error(reason));
      await gone;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function isStill(admittedAs: string, admission: () => Promise<string>): Promise<boolean> {
  try {
    return (await admission()) === admittedAs;
  } catch {
    // The launch that follows says why, and may ask somebody.
    return false;
  }
}
