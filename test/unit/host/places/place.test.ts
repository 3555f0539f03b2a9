import assert from 'node:assert/strict';
import { linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  agreedPlace,
  isSamePlace,
  type Place,
  placeAt,
  withPlace,
} from '../../../../packages/host/src/places/place.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const node = (inode: string, device = '1', born = '10') => ({ device, inode, born });
const folder: Place = { path: '/a', kind: 'folder', node: node('7'), owner: 1, links: 2, boot: 'b1' };
const file: Place = { ...folder, kind: 'file', links: 1, folder: node('6') };

const cases: readonly (readonly [what: string, agreed: Place, now: Place, same: boolean])[] = [
  ['the same folder', folder, { ...folder, links: 9, owner: 2 }, true],
  ['another folder', folder, { ...folder, node: node('8') }, false],
  ['a folder of that number on another disk', folder, { ...folder, node: node('7', '2') }, false],
  ['a folder that has the number of one that is gone', folder, { ...folder, node: node('7', '1', '11') }, false],
  ['the same folder after a start of the machine', folder, { ...folder, node: node('7', '2'), boot: 'b2' }, true],
  ['another folder after that', folder, { ...folder, node: node('8', '2'), boot: 'b2' }, false],
  ['a file for a folder', folder, file, false],
  ['the same file, whatever its folder', file, { ...file, folder: node('5') }, true],
  ['a file that was saved anew', file, { ...file, node: node('9') }, true],
  ['one in another folder', file, { ...file, node: node('9'), folder: node('5') }, false],
  ['one with a second name', file, { ...file, node: node('9'), links: 2 }, false],
  ['one of another owner', file, { ...file, node: node('9'), owner: 2 }, false],
];

for (const [what, agreed, now, same] of cases) {
  test(`${what} is ${same ? '' : 'not '}what was agreed to`, () => assert.equal(isSamePlace(agreed, now), same));
}

test('a place is that of the end of all links, and what is neither file nor folder has none', (t) => {
  const home = tempFolder(t);
  mkdirSync(join(home, 'real'));
  writeFileSync(join(home, 'real/text'), 'x');
  symlinkSync('real', join(home, 'link'));
  const real = placeAt(join(home, 'real'));
  assert.ok(real !== undefined);
  assert.equal(real.kind, 'folder');
  assert.deepEqual(placeAt(join(home, 'link')), { ...real, path: join(home, 'link') });
  assert.deepEqual(placeAt(join(home, 'real/text'))?.folder, real.node);
  assert.equal(placeAt(join(home, 'missing')), undefined);
  assert.equal(placeAt('/dev/null'), undefined);
  renameSync(join(home, 'real'), join(home, 'moved'));
  mkdirSync(join(home, 'real'));
  const next = placeAt(join(home, 'real'));
  assert.ok(next !== undefined && !isSamePlace(real, next));
  linkSync(join(home, 'moved/text'), join(home, 'real/text'));
  assert.equal(placeAt(join(home, 'real/text'))?.links, 2);
});

test('what is kept of a grant has a place for each path it meant, the last ones only', () => {
  let text: string | null = null;
  for (let project = 0; project < 40; project += 1) text = withPlace(text, { ...folder, path: `/p${project}` });
  text = withPlace(text, { ...folder, path: '/p39', owner: 5 });
  assert.equal(agreedPlace(text, '/p39')?.owner, 5);
  assert.equal(agreedPlace(text, '/p8')?.path, '/p8');
  assert.equal(agreedPlace(text, '/p7'), undefined);
  for (const other of [null, '', '{', '[1]', '[{"path":"/p"}]']) assert.equal(agreedPlace(other, '/p'), undefined);
});
