import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, MmmError } from '@mmm/protocol';
import {
  exitFailure,
  exitOfLaunch,
  type FailureKind,
  isLogged,
  launchFailure,
  recoveryOf,
} from '../../../../packages/host/src/supervise/recovery.ts';

const stderrTail = 'its last line\n';

test('Each way to end is one kind of failure', () => {
  const rows: readonly [ExitReason, FailureKind][] = [
    [{ kind: 'exit', code: 3, stderrTail }, 'crash'],
    [{ kind: 'signal', signal: 'SIGSEGV', stderrTail }, 'crash'],
    [{ kind: 'protocol', detail: 'garbage', stderrTail }, 'communication'],
    [{ kind: 'unresponsive', detail: 'silence', stderrTail }, 'communication'],
    [{ kind: 'memory', detail: 'too much', stderrTail }, 'resource'],
    [{ kind: 'cpu', detail: 'too much', stderrTail }, 'resource'],
    [{ kind: 'start_timeout', timeoutMs: 1, stderrTail }, 'initialization'],
    [{ kind: 'sandbox', detail: 'not set up', stderrTail }, 'initialization'],
    [{ kind: 'clean', stderrTail }, 'other'],
    [{ kind: 'requested' }, 'other'],
  ];
  for (const [reason, kind] of rows) assert.equal(exitFailure(reason), kind, reason.kind);
});

test('Each kind of failure has one recovery: a refusal is shown, a dependency waited for, the rest restarted', () => {
  const recoveries = (['initialization', 'communication', 'resource', 'crash', 'dependency', 'other'] as const).map(
    (kind) => recoveryOf(kind),
  );
  assert.deepEqual(recoveries, ['restart', 'restart', 'restart', 'restart', 'wait', 'none']);
  const of = (error: MmmError) => recoveryOf(launchFailure(error));
  assert.equal(of(new MmmError('START_TIMEOUT', 'late', { plugin: 'p', timeoutMs: 1, stderrTail })), 'restart');
  assert.equal(of(new MmmError('CONSENT_REQUIRED', 'ask', { plugin: 'p', permissions: [] })), 'none');
  const dependency = { plugin: 'p', dependency: 'd', cause: 'gone', chain: ['p', 'd'] };
  assert.equal(of(new MmmError('DEPENDENCY_FAILED', 'gone', dependency)), 'wait');
});

test('What concerns one call only is logged, unless it is the caller’s own doing', () => {
  const timeout = new MmmError('CALL_TIMEOUT', 'late', { plugin: 'p', method: 'execute', timeoutMs: 1 });
  const input = new MmmError('INPUT_INVALID', 'no', { plugin: 'p', capability: 'c', issues: [] });
  assert.deepEqual([isLogged(timeout), isLogged(input)], [true, false]);
});

test('A launch that failed after a process was started is an end like another', () => {
  const late = new MmmError('START_TIMEOUT', 'late', { plugin: 'p', timeoutMs: 7, stderrTail });
  assert.deepEqual(exitOfLaunch(late), { kind: 'start_timeout', timeoutMs: 7, stderrTail });
  const refused = new MmmError('HANDSHAKE_REFUSED', 'no', { plugin: 'p', reason: 'version 9', stderrTail });
  assert.deepEqual(exitOfLaunch(refused), { kind: 'protocol', detail: 'version 9', stderrTail });
  const exit: ExitReason = { kind: 'exit', code: 9, stderrTail };
  const data = { plugin: 'p', stage: 'handshake', reason: 'it ended', stderrTail } as const;
  assert.deepEqual(exitOfLaunch(new MmmError('LAUNCH_FAILED', 'ended', { ...data, exit })), exit);
  assert.equal(exitOfLaunch(new MmmError('LAUNCH_FAILED', 'no program', data)), undefined);
});
