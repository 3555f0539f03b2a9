import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitText, noteFailed } from '../../../../packages/cli/src/commands/events.ts';

/** What is said of a hook whose plugin did not start, in the lines it printed. */
const error = 'Plugin "guard" exited. Its last lines:\nSyntaxError: no\nx is event 5.\u001b[2J';

test('the lines of a hook that failed are lines, and none of them can be taken for one of the host', () => {
  let written = '';
  const stderr = { write: (text: string) => (written += text) };
  noteFailed({ stderr } as unknown as Parameters<typeof noteFailed>[0], {
    id: '1',
    actions: [],
    failedHooks: [{ plugin: 'guard', error }],
  });
  const first = 'The hook of guard did not answer: Plugin "guard" exited. Its last lines:\n';
  assert.equal(written, `${first}  SyntaxError: no\n  x is event 5.\\u{1b}[2J\n`);
});

test('the reason of a veto keeps its lines', () => {
  const veto = { plugin: 'lint', reason: 'two problems:\na.ts\nb.ts' };
  assert.equal(
    emitText('before_commit', { id: '1', actions: [], veto }),
    'Vetoed by lint: two problems:\n  a.ts\n  b.ts',
  );
});
