import { pluginMethods } from '@mmm/protocol';
import type { Clock, Timer } from '@mmm/rpc';
import type { Session } from '../handshake/session.ts';
import type { LivenessPolicy } from './policy.ts';

/** What the watch found out; the supervisor's events of the same names. */
export type LivenessFinding = 'unresponsive' | 'responsive' | 'hung';

export interface LivenessOptions {
  readonly session: Pick<Session, 'connection' | 'features' | 'isDebugged'>;
  readonly policy: LivenessPolicy;
  readonly clock: Clock;
  report(finding: LivenessFinding): void;
}

interface Ping {
  /** Later by the time for which somebody debugged the plugin. */
  sentMs: number;
  answered: boolean;
}

/**
 * Watches one session. Asks only plugins that named the feature `ping`, only while a call is in flight and nothing has
 * arrived for `pingAfterMs`, and not while the host itself does not read. Any message is an answer, and silence means
 * nothing while somebody debugs the plugin. Nothing runs while it is idle.
 */
export class Liveness {
  readonly #session: LivenessOptions['session'];
  readonly #policy: LivenessPolicy;
  readonly #clock: Clock;
  readonly #report: LivenessOptions['report'];
  #timer: Timer | undefined;
  /** The ping that has no answer yet. */
  #ping: Ping | undefined;
  #degraded = false;
  /** Silence before this moment does not count: the plugin had nothing to say. Monotonic milliseconds. */
  #busySinceMs = 0;
  #ended = false;

  constructor(options: LivenessOptions) {
    this.#session = options.session;
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#report = options.report;
  }

  /** A call is about to be made: watch until no call is left. */
  watch(): void {
    if (this.#ended || this.#timer !== undefined || !this.#session.features.has('ping')) return;
    this.#busySinceMs = this.#clock.monotonic();
    this.#checkAfter(this.#policy.pingAfterMs);
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #checkAfter(ms: number): void {
    // The call that is in flight keeps the process alive; the watch over it need not.
    this.#timer = this.#clock.after(ms, () => this.#check()).unref();
  }

  #check(): void {
    this.#timer = undefined;
    if (this.#ended) return;
    const { connection } = this.#session;
    const nowMs = this.#clock.monotonic();
    if (connection.paused) {
      // Whatever it said waits in the pipe, unread by us.
      this.#heard(nowMs);
      this.#checkAfter(this.#policy.pingAfterMs);
      return;
    }
    const heardMs = Math.max(connection.lastMessageAtMs, this.#busySinceMs);
    if (this.#ping !== undefined) {
      this.#judge(this.#ping, heardMs, nowMs);
      return;
    }
    if (connection.inFlight === 0) return;
    const silentMs = nowMs - heardMs;
    if (silentMs >= this.#policy.pingAfterMs) this.#send(nowMs);
    else this.#checkAfter(this.#policy.pingAfterMs - silentMs);
  }

  #send(nowMs: number): void {
    const ping: Ping = { sentMs: nowMs, answered: false };
    this.#ping = ping;
    const answered = (): void => {
      ping.answered = true;
      if (this.#ended || this.#ping !== ping) return;
      this.#timer?.cancel();
      this.#check();
    };
    const timeoutMs = this.#policy.unresponsiveAfterMs * 2;
    // An error is an answer too; that the connection closed is told by the exit.
    this.#session.connection.call(pluginMethods.ping, {}, { timeoutMs }).then(answered, answered);
    this.#checkAfter(this.#policy.degradedAfterMs);
  }

  #judge(ping: Ping, heardMs: number, nowMs: number): void {
    if (ping.answered || heardMs > ping.sentMs) {
      this.#heard(nowMs);
      this.#checkAfter(this.#policy.pingAfterMs);
      return;
    }
    const silentMs = nowMs - ping.sentMs;
    if (silentMs >= this.#policy.degradedAfterMs && this.#session.isDebugged()) {
      ping.sentMs = nowMs;
      this.#checkAfter(this.#policy.degradedAfterMs);
      return;
    }
    if (silentMs >= this.#policy.unresponsiveAfterMs) {
      this.end();
      this.#report('hung');
      return;
    }
    if (!this.#degraded && silentMs >= this.#policy.degradedAfterMs) {
      this.#degraded = true;
      this.#report('unresponsive');
    }
    this.#checkAfter(Math.min(this.#policy.degradedAfterMs, this.#policy.unresponsiveAfterMs - silentMs));
  }

  #heard(nowMs: number): void {
    this.#ping = undefined;
    this.#busySinceMs = nowMs;
    if (!this.#degraded) return;
    this.#degraded = false;
    this.#report('responsive');
  }
}
