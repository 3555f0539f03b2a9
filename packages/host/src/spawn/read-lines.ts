import type { Readable } from 'node:stream';
import { type Clock, type Timer, turnOf } from '@mmm/rpc';
import { type LineSink, LineSplitter } from './stderr-log.ts';

export interface LineReading {
  /** Whoever prints is gone and what is left has an end: it is read without pauses from here on. */
  finish(): void;
}

/**
 * Splits a stream into lines until it ends. It takes turns with everything else that is read from plugins: meanwhile
 * the stream is not read, so that whoever prints has to wait.
 */
export function readLines(stream: Readable, bytesMax: number, clock: Clock, sink: LineSink): LineReading {
  const lines = new LineSplitter(bytesMax, sink);
  const turn = turnOf(clock);
  /** Undefined until something is read in this turn. */
  let turnEndsAtMs: number | undefined;
  let workedUntilMs = 0;
  let rest: Buffer | undefined;
  let pause: Timer | undefined;
  let isFinishing = false;
  const isOver = (): boolean => {
    workedUntilMs = clock.monotonic();
    return workedUntilMs >= (turnEndsAtMs ?? 0);
  };

  const take = (chunk: Buffer): void => {
    // Node sets the streams of a process that has ended going, paused or not.
    if (rest !== undefined) {
      rest = Buffer.concat([rest, chunk]);
      stream.pause();
      return;
    }
    if (turnEndsAtMs === undefined) {
      turnEndsAtMs = turn.start(clock.monotonic());
      clock.immediate(endTurn);
    }
    const taken = lines.push(chunk, isOver);
    if (taken < chunk.length) rest = chunk.subarray(taken);
    if (rest !== undefined || isOver()) stream.pause();
  };
  const endTurn = (): void => {
    const isUsedUp = rest !== undefined || stream.isPaused();
    if (!isUsedUp) turn.useful();
    const pauseMs = isUsedUp && !isFinishing ? turn.over(workedUntilMs) : 0;
    if (pauseMs === 0) nextTurn();
    // A plugin that has nothing else to say must not keep a program alive for that.
    else pause = clock.after(pauseMs, nextTurn).unref();
  };
  const nextTurn = (): void => {
    pause = undefined;
    turnEndsAtMs = undefined;
    const chunk = rest;
    rest = undefined;
    if (chunk !== undefined) take(chunk);
    if (rest === undefined && stream.isPaused()) stream.resume();
  };
  stream.on('data', take);
  stream.on('end', () => {
    // Nothing can follow any more, and what is left is no more than a pipe holds.
    if (rest !== undefined) lines.push(rest, () => false);
    rest = undefined;
    lines.end();
  });
  stream.on('error', () => undefined);
  return {
    finish: () => {
      isFinishing = true;
      if (pause === undefined) return;
      pause.cancel();
      clock.immediate(nextTurn);
    },
  };
}
