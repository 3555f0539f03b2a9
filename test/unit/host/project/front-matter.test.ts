import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findFrontMatter, withStatus } from '../../../../packages/host/src/project/front-matter.ts';

/** As the host has it: bytes, one a character. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** The text before and after, with the status `done`. */
const changed: readonly (readonly [string, string, string])[] = [
  ['a plain value', '---\nstatus: draft\n---\nbody\n', '---\nstatus: done\n---\nbody\n'],
  [
    'lines of Windows',
    '---\r\nstatus: draft\r\ntitle: T\r\n---\r\nbody',
    '---\r\nstatus: done\r\ntitle: T\r\n---\r\nbody',
  ],
  ['a byte order mark', '\uFEFF---\nstatus: draft\n---\n', '\uFEFF---\nstatus: done\n---\n'],
  ['a comment behind it', '---\nstatus: draft   # ask Ada\n---\n', '---\nstatus: done   # ask Ada\n---\n'],
  ['double quotes', '---\nstatus:  "in \\"work\\"" # why\n---\n', '---\nstatus:  "done" # why\n---\n'],
  ['single quotes', "---\nstatus: 'it''s a draft'\n---\n", "---\nstatus: 'done'\n---\n"],
  ['a quoted key', '---\n"status" : draft\n---\n', '---\n"status" : done\n---\n'],
  ['no value', '---\nstatus:\ntitle: T\n---\n', '---\nstatus: done\ntitle: T\n---\n'],
  ['no value but a comment', '---\nstatus: # none yet\n---\n', '---\nstatus: done # none yet\n---\n'],
  ['no key', '---\ntitle: T\r\n---\nbody', '---\ntitle: T\r\nstatus: done\n---\nbody'],
  ['nothing in it', '---\n---\nbody', '---\nstatus: done\n---\nbody'],
  ['dots at its end', '---\nstatus: a\n...\nbody', '---\nstatus: done\n...\nbody'],
  [
    'text that is not UTF-8 beside it',
    '---\nstatus: draft\nby: \u00c3\n---\n\u00ff',
    '---\nstatus: done\nby: \u00c3\n---\n\u00ff',
  ],
  [
    'a status in a block and in the body',
    '---\nstatus: a\nnote: |\n  status: b\n---\nstatus: c\n',
    '---\nstatus: done\nnote: |\n  status: b\n---\nstatus: c\n',
  ],
  ['a # that is no comment', '---\nstatus: a#b c\n---\n', '---\nstatus: done\n---\n'],
  ['blanks at the end of the line', '---\nstatus: draft \t\n---\n', '---\nstatus: done \t\n---\n'],
];

for (const [what, before, after] of changed) {
  test(`the status is changed and nothing else: ${what}`, () => {
    assert.equal(withStatus(bytes(before), 'done'), bytes(after));
  });
}

test('a value that means something to YAML is quoted, in the style that was there', () => {
  const put = (before: string, status: string): unknown => {
    const text = withStatus(`---\nstatus: ${before}\n---\n`, status);
    return typeof text === 'string' ? text.slice(12, -5) : text;
  };
  assert.equal(put('draft', 'in review'), 'in review');
  for (const word of ['yes', 'No', 'null', 'true', '1', '- a', 'a: b', 'a # b', ' a', 'a ', '', '[x]', '*x', 'a\nb']) {
    assert.equal(put('draft', word), JSON.stringify(word), word);
  }
  assert.equal(put("'x'", "it's"), "'it''s'");
  assert.equal(put("'x'", 'a\nb'), '"a\\nb"');
  assert.equal(put('"x"', 'done'), '"done"');
  assert.equal(put('x', 'fertig, überprüft'), bytes('"fertig, überprüft"'));
});

test('what it cannot be sure of it leaves alone, and says why', () => {
  const refused = (text: string): string => {
    const result = withStatus(text, 'done');
    return typeof result === 'string' ? `changed: ${result}` : result.problem;
  };
  assert.match(refused('# no front matter'), /no front matter/);
  assert.match(refused('---\nstatus: draft\nnever closed'), /no front matter/);
  assert.match(refused('\n---\nstatus: draft\n---\n'), /no front matter/);
  assert.match(refused('---\nstatus: a\nstatus: b\n---\n'), /two keys/);
  const values = [
    '|\n  draft',
    '>-\n  draft',
    '[a, b]',
    '{a: b}',
    '&x draft',
    '*x',
    '!!str draft',
    'draft\n  goes on',
    `x${' '.repeat(1_000_000)}y`,
    '"open',
    "'open",
  ];
  for (const value of values)
    assert.match(refused(`---\nstatus: ${value}\n---\n`), /more than one plain or quoted/, value);
});

test('front matter begins with the first line and ends with a fence at the left edge', () => {
  assert.equal(findFrontMatter('----\na: b\n---\n'), undefined);
  assert.equal(findFrontMatter('text\n---\na: b\n---\n'), undefined);
  const text = '--- \na: |\n  ---\n---\t\nbody';
  const matter = findFrontMatter(text);
  assert.equal(text.slice(matter?.body), 'body');
});
