import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeTree } from '@mmm/bundle';
import { tempFolder } from '../../support/temp-folder.ts';

test('A tree with read-only and unreadable folders, links and hidden files is removed whole', async (t) => {
  const directory = tempFolder(t);
  const root = join(directory, 'tree');
  mkdirSync(join(root, 'a/b/c'), { recursive: true });
  for (const path of ['f', '.hidden', 'a/f', 'a/b/f', 'a/b/c/f']) writeFileSync(join(root, path), 'x');
  symlinkSync('/nowhere', join(root, 'a/dangling'));
  await chmod(join(root, 'a/b/c'), 0o000);
  await chmod(join(root, 'a/b'), 0o555);
  await chmod(join(root, 'a'), 0o555);
  assert.equal(await removeTree(root), undefined);
  assert.equal(existsSync(root), false);
});

test('Links in a tree are removed, and what they point to stays', async (t) => {
  const directory = tempFolder(t);
  const [root, victim] = [join(directory, 'tree'), join(directory, 'victim')];
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  mkdirSync(victim);
  writeFileSync(join(victim, 'precious'), 'kept');
  symlinkSync(victim, join(root, 'link'));
  symlinkSync(victim, join(root, 'deep/er/link'));
  assert.equal(await removeTree(root), undefined);
  assert.equal(readFileSync(join(victim, 'precious'), 'utf8'), 'kept');
});

test('A root that is a link is unlinked, not followed', async (t) => {
  const directory = tempFolder(t);
  mkdirSync(join(directory, 'victim'));
  writeFileSync(join(directory, 'victim/precious'), 'kept');
  symlinkSync(join(directory, 'victim'), join(directory, 'root'));
  assert.equal(await removeTree(join(directory, 'root')), undefined);
  assert.deepEqual(readdirSync(directory), ['victim']);
  assert.deepEqual(readdirSync(join(directory, 'victim')), ['precious']);
});

test('A tree deeper than any path may be long, or than descriptors there are, is removed', async (t) => {
  const directory = tempFolder(t);
  const root = join(directory, 'tree');
  mkdirSync(root);
  const start = process.cwd();
  try {
    process.chdir(root);
    for (let depth = 0; depth < 1500; depth += 1) {
      mkdirSync('folder');
      process.chdir('folder');
    }
    writeFileSync('file', 'x');
  } finally {
    process.chdir(start);
  }
  assert.equal(await removeTree(root), undefined);
  assert.equal(existsSync(root), false);
});

test('More files than are read at one time are removed', async (t) => {
  const root = join(tempFolder(t), 'tree');
  mkdirSync(join(root, 'inner'), { recursive: true });
  for (let at = 0; at < 1300; at += 1) writeFileSync(join(root, at % 2 === 0 ? '.' : 'inner', `f${at}`), '');
  assert.equal(await removeTree(root), undefined);
  assert.equal(existsSync(root), false);
});

test('A tree that is not there is no error', async (t) => {
  assert.equal(await removeTree(join(tempFolder(t), 'nothing')), undefined);
});
