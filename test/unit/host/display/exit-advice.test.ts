import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, endingLimits } from '@mmm/protocol';
import { adviceAfterExit } from '../../../../packages/host/src/display/exit-advice.ts';
import { describeExit } from '../../../../packages/host/src/display/exit-error.ts';

const reasons: readonly ExitReason[] = [
  { kind: 'clean', stderrTail: '' },
  { kind: 'exit', code: 3, stderrTail: '' },
  { kind: 'signal', signal: 'SIGSEGV', stderrTail: '' },
  { kind: 'protocol', detail: 'x', stderrTail: '' },
  { kind: 'unresponsive', detail: 'x', stderrTail: '' },
  { kind: 'sandbox', detail: 'x', stderrTail: '' },
  { kind: 'start_timeout', timeoutMs: 1000, stderrTail: '' },
  ...endingLimits.map((kind) => ({ kind, detail: 'x', stderrTail: '' })),
];

function advice(reason: ExitReason): string {
  return adviceAfterExit('acme/echo', { kind: reason.kind, detail: describeExit(reason) });
}

test('every end but one that was asked for has a next step, in sentences', () => {
  for (const reason of reasons) assert.match(advice(reason), /^[A-Z].*\.$/, reason.kind);
  assert.equal(advice({ kind: 'requested' }), '');
});

test('a signal that says more than that it crashed is explained', () => {
  const of = (signal: string) => advice({ kind: 'signal', signal, stderrTail: '' });
  assert.match(of('SIGKILL'), /dmesg/);
  assert.match(of('SIGSYS'), /system call/);
  assert.match(of('SIGABRT'), /crashed/);
});

test('commands name the plugin, and an end that a newer mmm counted still has advice', () => {
  const newer = adviceAfterExit('acme/echo', { kind: 'something_new', detail: 'ended somehow' });
  assert.equal(newer, 'Read the lines it printed; `mmm plugin logs acme/echo` has more of them.');
});
