import type { Socket } from 'node:net';
import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';

interface Quiet {
  bytes: number;
  sinceMs: number;
}

/**
 * Cuts connections that carry nothing for `hostLimits.connectionIdleMs`, in either direction: each holds one of the few
 * places of its plugin, and two descriptors of the host. Looks at all of them now and then instead of at every byte, so
 * that one may stay a quarter of the time longer.
 */
export class IdleCut {
  readonly #clock: Clock;
  readonly #quiet = new Map<Socket, Quiet>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(socket: Socket): void {
    this.#quiet.set(socket, { bytes: carried(socket), sinceMs: this.#clock.monotonic() });
    socket.once('close', () => {
      this.#quiet.delete(socket);
      if (this.#quiet.size === 0) this.#stop();
    });
    this.#wait();
  }

  #wait(): void {
    this.#timer ??= this.#clock
      .after(hostLimits.connectionIdleMs / 4, () => {
        this.#timer = undefined;
        this.#look();
        if (this.#quiet.size > 0) this.#wait();
      })
      .unref();
  }

  #look(): void {
    const nowMs = this.#clock.monotonic();
    for (const [socket, quiet] of this.#quiet) {
      const bytes = carried(socket);
      if (bytes !== quiet.bytes) this.#quiet.set(socket, { bytes, sinceMs: nowMs });
      else if (nowMs - quiet.sinceMs >= hostLimits.connectionIdleMs) socket.destroy();
    }
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

function carried(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten;
}
