import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { tempFolder } from '../support/temp-folder.ts';

const launcher = join(import.meta.dirname, '../../packages/cli/bin/mmm.cjs');

/** The launcher of the command with a program of one line in the place of the command. */
class Program {
  readonly dist: string;
  readonly #folder: string;
  readonly #home: string;

  constructor(t: TestContext, word: string) {
    this.#folder = tempFolder(t);
    this.dist = join(this.#folder, 'dist');
    this.#home = join(this.#folder, 'home');
    for (const folder of ['bin', 'dist', 'home']) mkdirSync(join(this.#folder, folder), { mode: 0o755 });
    cpSync(launcher, join(this.#folder, 'bin/mmm.cjs'));
    writeFileSync(join(this.#folder, 'package.json'), '{"version":"1.2.3"}');
    writeFileSync(join(this.dist, 'mmm.cjs'), `process.stdout.write('${word}');`);
  }

  run(...args: string[]): string {
    const file = join(this.#folder, 'bin/mmm.cjs');
    const { stdout, stderr, status } = spawnSync(process.execPath, [file, ...args], {
      encoding: 'utf8',
      env: { HOME: this.#home },
    });
    assert.equal(status, 0, stderr);
    return stdout;
  }

  caches(folder = this.dist): string[] {
    return readdirSync(folder).filter((name) => name.endsWith('.cache'));
  }

  /** The one cache there is. */
  cache(folder = this.dist): string {
    const [name, ...more] = this.caches(folder);
    assert.ok(name !== undefined && more.length === 0, `${this.caches(folder).length} caches`);
    return join(folder, name);
  }

  get userCaches(): string {
    return join(this.#home, '.cache/mmm');
  }
}

/** Compiled code of another program: the engine takes it for any source of the same length. */
function foreignCode(t: TestContext): Buffer {
  const other = new Program(t, 'wrong');
  assert.equal(other.run(), 'wrong');
  return readFileSync(other.cache());
}

test('compiled code is kept beside the program and used by the next run', (t) => {
  const program = new Program(t, 'right');
  assert.equal(program.run(), 'right');
  const { mtimeNs, ino, mode } = statSync(program.cache(), { bigint: true });
  assert.equal(mode & 0o777n, 0o644n);
  assert.equal(program.run(), 'right');
  const later = statSync(program.cache(), { bigint: true });
  assert.deepEqual([later.mtimeNs, later.ino], [mtimeNs, ino]);
  // The control: what lies there safely is what runs.
  writeFileSync(program.cache(), foreignCode(t));
  assert.equal(program.run(), 'wrong');
});

test('compiled code that others could have written is not run', (t) => {
  const foreign = foreignCode(t);
  const file = new Program(t, 'right');
  file.run();
  writeFileSync(file.cache(), foreign);
  chmodSync(file.cache(), 0o666);
  assert.equal(file.run(), 'right');
  const folder = new Program(t, 'right');
  folder.run();
  writeFileSync(folder.cache(), foreign);
  chmodSync(folder.dist, 0o777);
  assert.equal(folder.run(), 'right');
});

test("where the program's folder cannot be used, the user's own cache is", (t) => {
  const program = new Program(t, 'right');
  chmodSync(program.dist, 0o777);
  assert.equal(program.run(), 'right');
  assert.deepEqual(program.caches(), []);
  assert.equal(statSync(program.userCaches).mode & 0o777, 0o700);
  writeFileSync(program.cache(program.userCaches), foreignCode(t));
  assert.equal(program.run(), 'wrong', 'it is used');
  chmodSync(program.userCaches, 0o777);
  assert.equal(program.run(), 'right', 'and not when others may write there');
});

test('damaged compiled code costs nothing but time and is replaced', (t) => {
  const program = new Program(t, 'right');
  program.run();
  writeFileSync(program.cache(), 'garbage');
  assert.equal(program.run(), 'right');
  assert.notEqual(readFileSync(program.cache(), 'utf8'), 'garbage');
});

test('a program that changed is compiled anew, and its old code goes', (t) => {
  const program = new Program(t, 'right');
  program.run();
  const before = program.cache();
  writeFileSync(join(program.dist, 'mmm.cjs'), "process.stdout.write('newer');");
  assert.equal(program.run(), 'newer');
  assert.notEqual(program.cache(), before);
});

test('the version is printed without loading the program', (t) => {
  const program = new Program(t, 'right');
  assert.equal(program.run('--version'), '1.2.3\n');
  assert.deepEqual(program.caches(), []);
});
