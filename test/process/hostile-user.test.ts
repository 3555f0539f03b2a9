// Takes 20 s: the hostile plugins once more, of a host that is not root.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

test('hostile plugins are met by an ordinary user as by root', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(join(import.meta.dirname, 'hostile-plugins.test.ts'));
  assert.ok(passed, output);
});
