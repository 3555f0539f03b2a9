import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHost } from '@mmm/host';
import { controlCalls } from '@mmm/protocol';
import { tempFolder } from '../../../support/temp-folder.ts';

/** Only of use in the process that the host lives in. */
const local = new Set(['close', 'develop', 'register', 'unregister', 'reloadSettings', 'constructor']);

test('every method of a host is served by the control API, and it serves no other', async (t) => {
  const host = await createHost({ home: join(tempFolder(t), 'home') });
  t.after(() => host.close());
  const names = new Set<string>();
  for (let level: object = host; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const name of Object.getOwnPropertyNames(level)) {
      const value: unknown = Reflect.get(host, name);
      if (typeof value === 'function' && !local.has(name)) names.add(name);
    }
  }
  const served = [...controlCalls.keys()].filter((name) => !name.includes('.'));
  assert.deepEqual(served.sort(), [...names].sort());
});

test('each nested method that is served exists', async (t) => {
  const host = await createHost({ home: join(tempFolder(t), 'home') });
  t.after(() => host.close());
  for (const [name] of controlCalls) {
    const [first = '', second] = name.split('.');
    if (second === undefined || first === 'handle') continue;
    const part = Reflect.get(host, first) as object;
    assert.equal(typeof Reflect.get(part, second), 'function', name);
  }
});
