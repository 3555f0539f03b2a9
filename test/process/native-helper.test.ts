import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nativeHelper } from '../../packages/host/src/native/native-helper.ts';
import { isRoot, launchUid } from '../support/launch-fixture.ts';
import { hasCompiler } from '../support/native-program.ts';

const compiled = hasCompiler ? {} : { skip: 'there is no C compiler here' };
const asRoot = !hasCompiler || isRoot ? compiled : { skip: 'it takes root to leave root' };

function home(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mmm-native-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function helper(t: TestContext): Promise<string> {
  const made = await nativeHelper(home(t));
  assert.ok(made.path !== null, JSON.stringify(made));
  return made.path;
}

function run(file: string, ...words: string[]) {
  const { status, signal, stdout, stderr } = spawnSync(file, words, { encoding: 'utf8', timeout: 20_000 });
  return { status, signal, stdout, stderr };
}

test('it is compiled once, where only its owner can use it', compiled, async (t) => {
  const folder = home(t);
  const [first, second] = await Promise.all([nativeHelper(folder), nativeHelper(folder)]);
  assert.deepEqual(first, second);
  assert.ok(first.path !== null);
  assert.equal(statSync(first.path).mode & 0o777, 0o500);
  assert.equal(statSync(dirname(first.path)).mode & 0o777, 0o700);
  assert.equal((await nativeHelper(folder)).path, first.path);
});

test('what others could have put there is not run, but made anew', compiled, async (t) => {
  const folder = home(t);
  const other = home(t);
  const made = await nativeHelper(folder);
  assert.ok(made.path !== null);
  const place = join(other, 'native', made.path.slice(dirname(made.path).length + 1));
  mkdirSync(dirname(place), { mode: 0o700 });
  writeFileSync(place, '#!/bin/sh\nexit 0\n');
  chmodSync(place, 0o777);
  assert.deepEqual(await nativeHelper(other), { path: place });
  assert.equal(statSync(place).mode & 0o777, 0o500);
  assert.equal(statSync(place).size, statSync(made.path).size);
  chmodSync(other, 0o755);
  const open = await nativeHelper(home(t), ['/no/compilers']);
  assert.deepEqual(open, { path: null, reason: 'there is no C compiler' });
});

test('without a compiler, with one that fails, and in a home of others there is none, and why', async (t) => {
  assert.deepEqual(await nativeHelper(home(t), ['/no/compilers']), { path: null, reason: 'there is no C compiler' });
  const tools = home(t);
  writeFileSync(join(tools, 'cc'), '#!/bin/sh\necho "error: stdio.h is not there" >&2\nexit 1\n', { mode: 0o755 });
  const failed = await nativeHelper(home(t), [tools]);
  assert.match(failed.path === null ? failed.reason : '', /cc cannot compile it: error: stdio\.h is not there/);
  const open = home(t);
  chmodSync(open, 0o755);
  const refused = await nativeHelper(open);
  assert.match(refused.path === null ? refused.reason : '', /is not yours alone/);
  assert.equal(existsSync(join(open, 'native')), false);
});

test('words it does not know end it before anything runs', compiled, async (t) => {
  const file = await helper(t);
  for (const words of [
    ['--no-such-option', 'x', '--', '/bin/echo', 'ran'],
    ['--limit', 'nproc=many', '--', '/bin/echo', 'ran'],
    ['--limit', 'stack=1', '--', '/bin/echo', 'ran'],
    ['--allow', 'z', '/', '--', '/bin/echo', 'ran'],
    ['--uid', '0', '--', '/bin/echo', 'ran'],
    ['--uid', '-1', '--', '/bin/echo', 'ran'],
    ['--seccomp', '99', '--', '/bin/echo', 'ran'],
    ['--'],
    [],
  ]) {
    const { status, stdout, stderr } = run(file, ...words);
    assert.deepEqual({ status, stdout }, { status: 125, stdout: '' }, words.join(' '));
    assert.match(stderr, /^mmm: /, words.join(' '));
  }
});

test('limits are set, hard and soft', compiled, async (t) => {
  const file = await helper(t);
  const limits = ['--limit', 'nofile=64', '--limit', 'core=0', '--limit', 'fsize=4096', '--limit', 'data=268435456'];
  const { stdout } = run(file, ...limits, '--', '/bin/cat', '/proc/self/limits');
  assert.match(stdout, /Max open files\s+64\s+64 /);
  assert.match(stdout, /Max file size\s+4096\s+4096 /);
  assert.match(stdout, /Max data size\s+268435456\s+268435456 /);
});

test('root is left for good, with every capability and group', asRoot, async (t) => {
  const file = await helper(t);
  const { stdout } = run(file, '--uid', String(launchUid), '--group', '4242', '--', '/bin/cat', '/proc/self/status');
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(stdout)?.[1];
  assert.equal(field('Uid'), Array(4).fill(launchUid).join('\t'));
  assert.equal(field('Gid'), Array(4).fill(launchUid).join('\t'));
  assert.equal(field('Groups'), '4242');
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.match(field(set) ?? '', /^0+$/, set);
  assert.equal(field('NoNewPrivs'), '1');
});

test('it ends as the program ended', compiled, async (t) => {
  const file = await helper(t);
  assert.equal(run(file, '--', '/bin/sh', '-c', 'exit 7').status, 7);
  assert.equal(run(file, '--', '/bin/sh', '-c', 'kill -9 $$').signal, 'SIGKILL');
});
