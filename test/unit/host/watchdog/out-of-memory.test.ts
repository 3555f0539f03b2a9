import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ranOutOfMemory, type UnexplainedEnd } from '../../../../packages/host/src/watchdog/out-of-memory.ts';

const end: UnexplainedEnd = { code: null, signal: null, stderrTail: '', memoryPeakBytes: 10, memoryLimitBytes: 100 };
const cases: [what: string, end: Partial<UnexplainedEnd>, expected: boolean][] = [
  ['V8 gave up', { signal: 'SIGABRT', stderrTail: 'FATAL ERROR: … JavaScript heap out of memory' }, true],
  ['a buffer was refused', { code: 1, stderrTail: 'RangeError: Array buffer allocation failed' }, true],
  ['Python was refused', { code: 1, stderrTail: 'Traceback …\nMemoryError' }, true],
  ['C++ was refused', { signal: 'SIGABRT', stderrTail: "terminate called after throwing 'std::bad_alloc'" }, true],
  ['a sudden death near the limit', { signal: 'SIGSEGV', memoryPeakBytes: 85 }, true],
  ['a sudden death far from it', { signal: 'SIGSEGV' }, false],
  ['an exit near the limit without a word', { code: 1, memoryPeakBytes: 99 }, false],
  ['an end in order that speaks of memory', { code: 0, stderrTail: 'MemoryError handled' }, false],
  [
    'a signal that nobody dies of for memory',
    { signal: 'SIGTERM', stderrTail: 'MemoryError', memoryPeakBytes: 99 },
    false,
  ],
];
for (const [what, given, expected] of cases) {
  test(`${what} ${expected ? 'is' : 'is not'} taken for an end by memory`, () => {
    assert.equal(ranOutOfMemory({ ...end, ...given }), expected);
  });
}
