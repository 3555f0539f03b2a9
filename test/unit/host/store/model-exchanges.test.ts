import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import type { ModelExchange } from '../../../../packages/host/src/store/model-exchanges.ts';
import { openStore } from '../../../../packages/host/src/store/store.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

function store(t: Pick<TestContext, 'after'>) {
  const opened = openStore(join(tempFolder(t), 'state.db'));
  t.after(() => opened.close());
  return opened.modelExchanges;
}

const owner = { plugin: 'p', publisher: 'k', project: '/work' };

function exchange(content: string, spec: string | null = null): ModelExchange {
  const message = { role: 'assistant', content };
  return {
    ...{ at: '2026-01-01T00:00:00.000Z', provider: 'm:small', spec, messages: [{ role: 'user', content: 'q' }] },
    ...{ message, usage: { tokens: 3 }, stopReason: 'end' },
  };
}
const contents = (list: readonly ModelExchange[]): unknown[] =>
  list.map(({ message }) => (message as { content: string }).content);

test('exchanges are kept by plugin, publisher and project, and come back oldest first', (t) => {
  const exchanges = store(t);
  exchanges.add(owner, exchange('1', 'login'));
  exchanges.add(owner, exchange('2'));
  exchanges.add({ ...owner, publisher: 'other' }, exchange('theirs'));
  exchanges.add({ ...owner, project: '' }, exchange('elsewhere'));
  assert.deepEqual(exchanges.list(owner), [exchange('1', 'login'), exchange('2')]);
  assert.deepEqual(contents(exchanges.list(owner, 'login')), ['1']);
  assert.deepEqual(contents(exchanges.list(owner, 'logout')), []);
  exchanges.removeAll('p');
  assert.deepEqual(exchanges.list(owner), []);
  assert.deepEqual(exchanges.list({ ...owner, publisher: 'other' }), []);
});

test('the oldest go, beyond a number and beyond a size, over all projects of a plugin', (t) => {
  const exchanges = store(t);
  const { exchangesKept, exchangeBytes } = hostLimits;
  for (let number = 0; number <= exchangesKept; number += 1) exchanges.add(owner, exchange(`${number}`));
  assert.equal(exchanges.list(owner).length, exchangesKept);
  assert.deepEqual(contents(exchanges.list(owner)).slice(0, 1), ['1']);
  const other = { ...owner, project: '/other' };
  exchanges.add({ ...owner, plugin: 'q' }, exchange('of another'));
  for (let number = 0; number < 4; number += 1) exchanges.add(other, exchange('x'.repeat(exchangeBytes / 4 - 1000)));
  assert.ok(exchanges.list(owner).length < 50);
  assert.equal(exchanges.list(other).length, 4);
  exchanges.add(other, exchange('x'.repeat(exchangeBytes / 4)));
  assert.equal(exchanges.list(other).length, 4, 'one that is too large takes no place of others');
  assert.deepEqual(contents(exchanges.list({ ...owner, plugin: 'q' })), ['of another']);
});
