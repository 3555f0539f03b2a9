import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lanes } from '../../../../packages/host/src/host-api/lanes.ts';
import { settled } from '../../../support/fake-clock.ts';

test('work of a lane begins in its order, and other lanes do not wait for it', async () => {
  const lanes = new Lanes();
  const { signal } = new AbortController();
  const begun: string[] = [];
  const go = new Map<string, () => void>();
  const enter = (lane: string, name: string) =>
    lanes.enter(lane, signal, (hasBegun) => {
      begun.push(name);
      return new Promise<string>((resolve) => {
        go.set(`${name} begun`, hasBegun);
        go.set(`${name} over`, () => resolve(name));
      });
    });
  const all = [enter('x', '1'), enter('x', '2'), enter('x', '3'), enter('y', 'other')];
  await settled();
  assert.deepEqual(begun.sort(), ['1', 'other']);
  go.get('1 begun')?.();
  await settled();
  assert.ok(
    begun.includes('2') && !begun.includes('3'),
    'the second begins once the first has begun, not when it ended',
  );
  go.get('2 over')?.();
  await settled();
  assert.ok(begun.includes('3'), 'what ended without having begun holds nothing up');
  for (const name of ['1', '3', 'other']) go.get(`${name} over`)?.();
  assert.deepEqual(await Promise.all(all), ['1', '2', '3', 'other']);
});

test('who gives up while it waits never begins, and those behind it do', async () => {
  const lanes = new Lanes();
  const gone = new AbortController();
  let end: () => void = () => undefined;
  const first = lanes.enter('x', new AbortController().signal, () => new Promise<void>((resolve) => (end = resolve)));
  let ran = false;
  const second = lanes.enter('x', gone.signal, async () => {
    ran = true;
  });
  const rejected = assert.rejects(second, /enough/);
  const third = lanes.enter('x', new AbortController().signal, async () => 'third');
  gone.abort(new Error('enough'));
  await settled();
  end();
  await first;
  await rejected;
  assert.equal(await third, 'third');
  assert.equal(ran, false);
});
