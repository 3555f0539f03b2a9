import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turn, Turns } from '../../../packages/rpc/src/turns.ts';

const pair = () => {
  const turns = new Turns();
  return { one: new Turn(turns), other: new Turn(turns) };
};
const lengthMs = (turn: Turn, atMs: number) => Math.round((turn.start(atMs) - atMs) * 100) / 100;

test('alone a peer has long turns, beside another one short ones', () => {
  const { one, other } = pair();
  assert.equal(lengthMs(one, 0), 8);
  other.expect(10);
  assert.equal(lengthMs(one, 11), 0.06);
  assert.equal(lengthMs(other, 12), 0.06);
  assert.equal(lengthMs(one, 100), 0.06);
  assert.equal(lengthMs(one, 113), 8, 'the other wanted nothing for a while');
});

/** Uses up its turns one after the other; returns the pauses between them. */
function flood(turn: Turn, other: Turn | undefined, turns: number): number[] {
  let atMs = 0;
  return Array.from({ length: turns }, () => {
    other?.expect(atMs);
    atMs = turn.start(atMs);
    const pauseMs = turn.over(atMs);
    atMs += pauseMs;
    return Math.round(pauseMs * 100) / 100;
  });
}

test('a flood pauses between its turns while another peer wants something, and not before it is one', () => {
  const { one, other } = pair();
  const pauses = flood(one, other, 60);
  assert.deepEqual(pauses.slice(0, 15), new Array<number>(15).fill(0));
  assert.deepEqual(pauses.slice(-15), new Array<number>(15).fill(2));
});

test('a flood that nobody is bothered by is read without a pause', () => {
  assert.deepEqual(flood(pair().one, undefined, 20), new Array<number>(20).fill(0));
});

test('a flood has its pauses only while an answer of another peer is waited for', () => {
  const { one, other } = pair();
  const pauseMs = (atMs: number): number => {
    one.start(atMs);
    return one.over(atMs + 3);
  };
  one.expect(0);
  other.expect(0);
  assert.ok(pauseMs(1) > 0);
  other.settled();
  assert.equal(pauseMs(10), 0, 'its own are no reason');
  other.expect(20);
  assert.ok(pauseMs(21) > 0);
});

test('what brings answers is no flood, however much it is', () => {
  const { one, other } = pair();
  for (let atMs = 0; atMs < 50; atMs += 0.2) {
    other.expect(atMs);
    one.start(atMs);
    one.useful();
    assert.equal(one.over(atMs + 0.1), 0);
  }
});

test('a message that took long is followed by a long pause, but not by one without end', () => {
  const { one, other } = pair();
  one.start(0);
  other.expect(4);
  assert.equal(Math.round(one.over(5)), 167);
  one.start(1000);
  other.expect(1020);
  assert.equal(Math.round(one.over(1024)), 800);
  one.start(2000);
  other.expect(2950);
  assert.equal(one.over(3000), 1000);
});
