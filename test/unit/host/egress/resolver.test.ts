import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resolver } from '../../../../packages/host/src/egress/resolver.ts';
import { egressRules, type Target } from '../../../../packages/host/src/egress/rule.ts';
import { Turns } from '../../../../packages/host/src/egress/turns.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';

const rules = egressRules([
  { kind: 'network', host: 'h.test' },
  { kind: 'network', host: '1.1.1.1' },
]);
const target = (host: string): Target => ({ scheme: 'tunnel', host, port: 443 });

function resolver(
  lookup: (host: string) => Promise<readonly string[]>,
  clock = new FakeClock(),
  everyone = new Turns(3),
) {
  return new Resolver({ lookup, clock, everyone });
}

test('a name that was not granted, and an address, is not looked up', async () => {
  const asked: string[] = [];
  const subject = resolver(async (host) => {
    asked.push(host);
    return ['8.8.8.8'];
  });
  assert.equal((await subject.judge(rules, target('other.test'))).allowed, false);
  assert.deepEqual(await subject.judge(rules, target('1.1.1.1')), { allowed: true, addresses: ['1.1.1.1'] });
  assert.deepEqual(asked, []);
});

test('a name that changes its address is judged anew each time, and never dialled by name', async () => {
  let turn = 0;
  const subject = resolver(async () => [turn++ % 2 === 0 ? '8.8.8.8' : '127.0.0.1']);
  for (let index = 0; index < 50; index++) {
    const verdict = await subject.judge(rules, target('h.test'));
    if (verdict.allowed) assert.deepEqual(verdict.addresses, ['8.8.8.8']);
    assert.equal(verdict.allowed, index % 2 === 0);
  }
  assert.equal(turn, 50);
});

test('a name without an address is told apart from one that is refused', async () => {
  const subject = resolver(() => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })));
  assert.deepEqual(await subject.judge(rules, target('h.test')), {
    allowed: false,
    reason: 'unresolved',
    message: 'h.test could not be resolved: no such name.',
  });
});

test('a resolver that does not answer is given up, and keeps its place until it has', async () => {
  const clock = new FakeClock();
  let asked = 0;
  let answer: (addresses: string[]) => void = () => undefined;
  const subject = resolver(() => {
    asked++;
    return new Promise((resolve) => {
      answer = resolve;
    });
  }, clock);
  const first = subject.judge(rules, target('h.test'));
  const second = subject.judge(rules, target('h.test'));
  await clock.advance(10_000);
  for (const verdict of [await first, await second]) assert.ok(!verdict.allowed && verdict.reason === 'unresolved');
  assert.equal(asked, 1);
  answer(['8.8.8.8']);
  await settled();
  assert.equal(asked, 2);
});

test('turns are taken in order and given back when the work fails', async () => {
  const turns = new Turns(1);
  const order: number[] = [];
  const failing = turns.run(() => Promise.reject(new Error('no')));
  const later = [1, 2, 3].map((number) => turns.run(async () => void order.push(number)));
  await assert.rejects(failing);
  await Promise.all(later);
  assert.deepEqual(order, [1, 2, 3]);
});
