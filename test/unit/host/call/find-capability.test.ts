import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { findCapability } from '../../../../packages/host/src/call/find-capability.ts';
import { suggest } from '../../../../packages/host/src/source/suggest.ts';
import { manifestOf } from '../../../support/fake-session.ts';

const spec = {
  id: 'p',
  manifest: manifestOf([
    { kind: 'tool', name: 'calculate', aliases: ['calc', 'sum'] },
    { kind: 'tool', name: 'sync' },
    { kind: 'command', name: 'sync' },
    { kind: 'command', name: 'sum' },
    { kind: 'trigger', name: 'clock' },
    { kind: 'hook', name: 'audit' },
  ]),
};
const find = (wanted: Parameters<typeof findCapability>[1]): string => {
  const { kind, name } = findCapability(spec, wanted, suggest);
  return `${kind}:${name}`;
};
function refusal(wanted: Parameters<typeof findCapability>[1]): string {
  try {
    find(wanted);
  } catch (error) {
    assert.ok(MmmError.is(error, 'CAPABILITY_NOT_FOUND'));
    assert.ok(error.data.known.includes('tool:calculate'));
    return error.message;
  }
  return assert.fail('it was found');
}

test('A capability is found by its name, by kind:name, by an alias and by a reference', () => {
  assert.equal(find('calculate'), 'tool:calculate');
  assert.equal(find('calc'), 'tool:calculate');
  assert.equal(find('tool:calc'), 'tool:calculate');
  assert.equal(find('command:sync'), 'command:sync');
  assert.equal(find({ kind: 'tool', name: 'sync' }), 'tool:sync');
});

test('A name counts before an alias', () => {
  assert.equal(find('sum'), 'command:sum');
});

test('A name that two kinds share must be said with its kind', () => {
  assert.match(refusal('sync'), /"tool:sync" or "command:sync"/);
});

test('What is not executed says how it is used instead', () => {
  assert.match(refusal('clock'), /is a trigger and cannot be executed/);
  assert.match(refusal({ kind: 'hook', name: 'audit' }), /is a hook and cannot be executed/);
});

test('A slip is answered with what was probably meant, anything else with what there is', () => {
  assert.match(refusal('calculat'), /Did you mean "calculate"\?/);
  assert.match(refusal('tool:calculte'), /Did you mean "calculate"\?/);
  assert.match(refusal('weather'), /It has: tool:calculate, tool:sync/);
  assert.match(refusal('\u001b[2Jx'), /\\u\{1b\}\[2Jx/);
});
