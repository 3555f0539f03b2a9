import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { createHost, type Host } from '@mmm/host';
import { tempFolder } from '../../../support/temp-folder.ts';

async function open(t: TestContext, home = join(tempFolder(t), 'home')): Promise<Host> {
  const host = await createHost({ home, searchPath: [] });
  t.after(() => host.close());
  return host;
}

test('the journal is listed by type, time and number, oldest first', async (t) => {
  const host = await open(t);
  for (const n of [1, 2, 3]) {
    await host.emit('a.x', { n });
    await host.emit('b.x', { n }, { source: 'editor' });
  }
  const numbers = async (filter: Parameters<Host['events']['list']>[0]) =>
    (await host.events.list(filter)).map(({ type, data, source }) => `${type} ${(data as { n: number }).n} ${source}`);
  assert.deepEqual(await numbers({ types: ['b.*'], limit: 2 }), ['b.x 2 app:editor', 'b.x 3 app:editor']);
  assert.equal((await host.events.list()).length, 6);
  assert.deepEqual(await host.events.list({ since: new Date(Date.now() + 60_000) }), []);
  assert.equal((await host.events.list({ types: ['a.x'] }))[0]?.source, 'app:host');
  await assert.rejects(host.events.list({ limit: 0 }), { code: 'CONFIG_INVALID' });
});

test('whoever follows sees what is there and what comes, from other hosts too, until it is enough', async (t) => {
  const host = await open(t);
  const other = await open(t, host.home);
  await host.emit('a.one');
  const enough = new AbortController();
  const seen: string[] = [];
  for await (const { type } of host.events.follow({ types: ['a.*'], signal: enough.signal })) {
    seen.push(type);
    if (type === 'a.one') {
      await other.emit('b.two');
      await other.emit('a.three');
    }
    if (type === 'a.three') enough.abort();
  }
  assert.deepEqual(seen, ['a.one', 'a.three']);
});

test('after close nothing is emitted and nothing is listed', async (t) => {
  const host = await open(t);
  await host.emit('a.one');
  await host.close();
  await assert.rejects(host.emit('a.two'), { code: 'HOST_CLOSED' });
  await assert.rejects(host.events.list(), { code: 'HOST_CLOSED' });
});
