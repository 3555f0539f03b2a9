import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Permission } from '@mmm/protocol';
import { GrantWatch } from '../../../packages/host/src/grant-watch.ts';
import { openStore } from '../../../packages/host/src/store/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const lang: Permission = { kind: 'environment', name: 'LANG' };
const key = 'environment=LANG';

/** One running plugin in this process, and the state file as another process has it open. */
function setUp(t: TestContext, enabledByDefault = true) {
  const file = join(tempFolder(t), 'state.db');
  const [store, elsewhere] = [openStore(file), openStore(file)];
  t.after(() => {
    store.close();
    elsewhere.close();
  });
  store.grants.add('hook', 'ada', [lang], 'user', '2026');
  const clock = new FakeClock();
  const watch = new GrantWatch({ store, clock });
  const stops: string[] = [];
  const start = (): (() => void) =>
    watch.watch({
      ...{ recordId: 'hook', publisher: 'ada', stored: [key], enabledByDefault },
      stop: (reason) => void stops.push(reason),
    });
  return { store, elsewhere, clock, stops, start };
}

test('a grant that another process takes away stops the plugin at the next look, once', async (t) => {
  const { elsewhere, clock, stops, start } = setUp(t);
  start();
  await clock.advance(1000);
  assert.deepEqual(stops, []);
  elsewhere.grants.remove('hook', [key]);
  await clock.advance(400);
  assert.deepEqual(stops, ['its permissions changed']);
  await clock.advance(2000);
  assert.equal(stops.length, 1);
});

test('a grant of something else, and one taken from another publisher, stop nothing', async (t) => {
  const { elsewhere, clock, stops, start } = setUp(t);
  elsewhere.grants.add('hook', 'bob', [lang], 'user', '2026');
  start();
  elsewhere.grants.add('hook', 'ada', [{ kind: 'environment', name: 'TERM' }], 'user', '2026');
  await clock.advance(400);
  elsewhere.grants.remove('hook', ['environment=TERM']);
  await clock.advance(400);
  assert.deepEqual(stops, []);
});

test('a plugin that is disabled elsewhere is stopped', async (t) => {
  const { elsewhere, clock, stops, start } = setUp(t);
  start();
  elsewhere.plugins.setEnabled('hook', false);
  await clock.advance(400);
  assert.deepEqual(stops, ['disabled']);
});

test('what was taken away between its permission and its start stops it at once', (t) => {
  const { elsewhere, stops, start } = setUp(t);
  elsewhere.grants.remove('hook', [key]);
  start();
  assert.deepEqual(stops, ['its permissions changed']);
});

test('nothing is looked at for what has ended', async (t) => {
  const { elsewhere, clock, stops, start } = setUp(t);
  const end = start();
  end();
  elsewhere.grants.remove('hook', [key]);
  await clock.advance(2000);
  assert.deepEqual(stops, []);
});
