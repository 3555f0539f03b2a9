import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PluginLog } from '../../../../packages/host/src/log/plugin-log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const line = (message: string) => ({ stream: 'stderr', level: 'info', message }) as const;
const messages = (file: string, lines = 1000): string[] =>
  PluginLog.read(file, { lines }).map(({ message }) => message);

test('lines are in the file when write returns, with time, stream, level and fields', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const log = new PluginLog(file, new FakeClock());
  assert.equal(existsSync(file), false);
  log.write({ stream: 'log', level: 'warn', message: 'hot', fields: { celsius: 90 } });
  log.write({ ...line('plain'), fields: {} });
  assert.deepEqual(PluginLog.read(file, { lines: 10 }), [
    { at: '2026-01-01T00:00:00.000Z', stream: 'log', level: 'warn', message: 'hot', fields: { celsius: 90 } },
    { at: '2026-01-01T00:00:00.000Z', stream: 'stderr', level: 'info', message: 'plain' },
  ]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  log.close();
  log.write(line('late'));
  assert.equal(messages(file).length, 2);
});

test('a flood is cut to its rate and counted in one line a second', async (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const clock = new FakeClock();
  const log = new PluginLog(file, clock);
  for (let index = 0; index < 1000; index += 1) log.write(line(`line ${index}`));
  assert.equal(messages(file).length, 200);
  await clock.advance(1000);
  assert.equal(
    messages(file).at(-1),
    '800 lines dropped: the plugin wrote more than 200 lines or 1048576 bytes a second',
  );
  assert.equal(clock.waiting, 0);
  for (let index = 0; index < 201; index += 1) log.write(line('again'));
  log.close();
  assert.equal(messages(file).length, 402);
  assert.equal(messages(file).at(-1), '1 line dropped: the plugin wrote more than 200 lines or 1048576 bytes a second');
  assert.equal(clock.waiting, 0);
});

test('long lines are limited by their bytes', async (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const clock = new FakeClock();
  const log = new PluginLog(file, clock, { bytesPerSecond: 1000 });
  for (let index = 0; index < 10; index += 1) log.write(line('x'.repeat(400)));
  assert.equal(messages(file).length, 3);
  await clock.advance(500);
  log.write(line('again'));
  log.close();
  assert.equal(messages(file)[3], 'again');
  assert.match(messages(file).at(-1) ?? '', /^7 lines dropped: the plugin wrote more than 200 lines or 1000 bytes/);
});

test('the bucket fills with time', async (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const clock = new FakeClock();
  const log = new PluginLog(file, clock, { linesPerSecond: 10 });
  for (let index = 0; index < 10; index += 1) log.write(line('a'));
  await clock.advance(500);
  for (let index = 0; index < 5; index += 1) log.write(line('b'));
  assert.equal(messages(file).length, 15);
  log.close();
});

test('files rotate by size, the oldest goes, and reading runs over all of them', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const log = new PluginLog(file, new FakeClock(), { fileBytes: 1000, linesPerSecond: 1e9, bytesPerSecond: 1e9 });
  for (let index = 0; index < 100; index += 1) log.write(line(`line ${index}`));
  assert.ok(existsSync(`${file}.2`));
  assert.equal(existsSync(`${file}.3`), false);
  for (const name of [file, `${file}.1`, `${file}.2`]) assert.ok(statSync(name).size <= 1000);
  const read = messages(file);
  assert.equal(read.at(-1), 'line 99');
  assert.deepEqual(
    read,
    Array.from({ length: read.length }, (_, index) => `line ${100 - read.length + index}`),
  );
  assert.deepEqual(messages(file, 3), ['line 97', 'line 98', 'line 99']);
  assert.deepEqual(messages(file, 0), []);
  log.close();
});

test('a file that another process rotated or removed is noticed', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const options = { fileBytes: 200, linesPerSecond: 1e9, bytesPerSecond: 1e9 };
  const log = new PluginLog(file, new FakeClock(), options);
  log.write(line('one'));
  log.write(line('two'));
  renameSync(file, `${file}.1`);
  const other = new PluginLog(file, new FakeClock(), options);
  other.write(line('three'));
  log.write(line('four'));
  rmSync(file);
  log.write(line('five'));
  assert.deepEqual(messages(file), ['one', 'two', 'five']);
  log.close();
  other.close();
});

test('long messages and fields are cut and say so; characters stay whole', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const log = new PluginLog(file, new FakeClock(), { lineBytes: 10 });
  log.write({ ...line('äääääää'), fields: { long: 'x'.repeat(50) } });
  log.write(line('ää€ä€'));
  const [first, second] = PluginLog.read(file, { lines: 10 });
  assert.equal(first?.message, 'äääää… (cut: it had 14 bytes)');
  assert.deepEqual(first?.fields, { left_out: 'more than 10 bytes' });
  assert.equal(second?.message, 'ää€ä… (cut: it had 12 bytes)');
  log.close();
});

test('a line over the rate is not even made, and what others dropped is counted with it', async (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const clock = new FakeClock();
  const log = new PluginLog(file, clock, { linesPerSecond: 2 });
  let made = 0;
  for (let index = 0; index < 100; index += 1) {
    log.write(() => {
      made += 1;
      return line(`line ${index}`);
    });
  }
  log.drop(1000);
  assert.equal(made, 2);
  await clock.advance(1000);
  assert.equal(
    messages(file).at(-1),
    '1098 lines dropped: the plugin wrote more than 2 lines or 1048576 bytes a second',
  );
  log.close();
});

test('large fields are left out without being written as JSON first', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const log = new PluginLog(file, new FakeClock());
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const unreadable = {
    toJSON: () => {
      throw new Error('it was written as JSON');
    },
  };
  const many = Array.from({ length: 100_000 }, () => unreadable);
  const long = { text: 'x'.repeat(100_000), unreadable };
  for (const fields of [circular, { many }, { long }, Object.fromEntries(many.entries())]) {
    log.write({ ...line('large'), fields });
    assert.deepEqual(PluginLog.read(file, { lines: 1 })[0]?.fields, { left_out: 'more than 65536 bytes' });
  }
  log.write({ ...line('small'), fields: { many: many.slice(0, 10).map(String) } });
  assert.equal(log.failures, 0);
  log.close();
});

test('the file can be printed: control characters stand in it as escapes and come back as they were', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const log = new PluginLog(file, new FakeClock());
  const hostile = 'a\n\u001b[2J\u009b31m\u202eb\u2028\u0000';
  log.write({ stream: 'stdout', level: 'info', message: hostile, fields: { [hostile]: hostile } });
  assert.match(readFileSync(file, 'utf8'), /^[ -~]*\n$/);
  assert.deepEqual(PluginLog.read(file, { lines: 1 })[0]?.fields, { [hostile]: hostile });
  log.close();
});

test('a failing disk is counted and never thrown, and writing goes on when it is well again', (t) => {
  const folder = join(tempFolder(t), 'logs');
  const file = join(folder, 'p.jsonl');
  const log = new PluginLog(file, new FakeClock());
  log.write(line('no folder'));
  assert.equal(log.failures, 1);
  mkdirSync(folder);
  symlinkSync('/dev/null', file);
  log.write(line('a link'));
  assert.equal(log.failures, 2);
  rmSync(file);
  log.write({ ...line('not JSON'), fields: { big: 1n } });
  assert.equal(log.failures, 3);
  assert.equal(log.trouble?.lines, 3);
  log.write(line('well'));
  assert.equal(log.trouble, undefined);
  assert.deepEqual(messages(file), ['3 lines are missing here: it cannot be put down as a line', 'well']);
  log.close();
});

test('the line after half a line stands by itself', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const first = new PluginLog(file, new FakeClock());
  first.write(line('whole'));
  first.close();
  appendFileSync(file, '{"at":"2026');
  const second = new PluginLog(file, new FakeClock());
  second.write(line('after'));
  second.close();
  assert.deepEqual(messages(file), ['whole', 'after']);
});

test('reading leaves out half lines and foreign lines, and a log that is not there is empty', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  assert.deepEqual(messages(file), []);
  const log = new PluginLog(file, new FakeClock());
  log.write(line('one'));
  appendFileSync(file, 'garbage\n{"at":"x"}\nnull\n{"at":"2026","stream":"stderr","lev');
  assert.deepEqual(messages(file), ['one']);
  log.close();
});
