import type { Clock } from '@mmm/rpc';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';

/** A session that a newer one took the place of, with what ends its wait. */
interface Retired {
  readonly session: Session;
  readonly untilMs: number;
  readonly reason: string;
}

/**
 * Sessions that get no new call. Each is stopped when the calls it works on have ended, at the latest
 * `hostLimits.reloadDrainMs` after it was replaced.
 */
export class RetiredSessions {
  readonly #clock: Clock;
  readonly #retired = new Set<Retired>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get sessions(): readonly Session[] {
    return [...this.#retired].map(({ session }) => session);
  }

  add(session: Session, reason: string): void {
    const retired = { session, reason, untilMs: this.#clock.monotonic() + hostLimits.reloadDrainMs };
    this.#retired.add(retired);
    void session.exited.then(() => this.#retired.delete(retired));
    this.#look(retired);
  }

  /** Ends them now, calls or not. Resolves when no process of them is left. */
  async stop(reason: string): Promise<void> {
    await Promise.all([...this.#retired].map((retired) => this.#end({ ...retired, reason })));
  }

  /** Never at once: who was given the session right before it was replaced has yet to send. */
  #look(retired: Retired): void {
    this.#clock.after(hostLimits.drainPollMs, () => {
      if (!this.#retired.has(retired)) return;
      const isOver = this.#clock.monotonic() >= retired.untilMs;
      if (isOver || retired.session.connection.inFlight === 0) void this.#end(retired);
      else this.#look(retired);
    });
  }

  async #end({ session, reason }: Retired): Promise<void> {
    await session.stop(reason).catch((error: unknown) => {
      session.kill({ kind: 'requested', detail: `its stop failed: ${String(error)}` });
    });
    await session.exited;
  }
}
