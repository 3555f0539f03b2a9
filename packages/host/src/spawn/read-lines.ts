import type { Readable } from 'node:stream';
import type { Clock } from '@mmm/rpc';
import { type LineSink, LineSplitter } from './stderr-log.ts';

/** Longest time one turn of the event loop is spent on one plugin's lines: a flood must not hold up the others. */
const turnMs = 8;

/**
 * Splits a stream into lines until it ends. When the time of a turn is used up it lets everything else have its turn;
 * meanwhile the stream is not read, so that whoever prints has to wait.
 */
export function readLines(stream: Readable, bytesMax: number, clock: Clock, sink: LineSink): void {
  const lines = new LineSplitter(bytesMax, sink);
  /** Undefined until something is read in this turn. */
  let turnEndsAtMs: number | undefined;
  let rest: Buffer | undefined;
  const isOver = (): boolean => clock.monotonic() >= (turnEndsAtMs ?? 0);

  const take = (chunk: Buffer): void => {
    if (turnEndsAtMs === undefined) {
      turnEndsAtMs = clock.monotonic() + turnMs;
      clock.immediate(nextTurn);
    }
    const taken = lines.push(chunk, isOver);
    if (taken < chunk.length) rest = chunk.subarray(taken);
    if (rest !== undefined || isOver()) stream.pause();
  };
  const nextTurn = (): void => {
    turnEndsAtMs = undefined;
    const chunk = rest;
    rest = undefined;
    if (chunk !== undefined) take(chunk);
    if (rest === undefined && stream.isPaused()) stream.resume();
  };
  stream.on('data', take);
  stream.on('end', () => lines.end());
  stream.on('error', () => undefined);
}
