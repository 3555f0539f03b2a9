import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { logFiles, PluginLog } from '../../../../packages/host/src/log/plugin-log.ts';
import { logsSection, rotationOf } from '../../../../packages/host/src/settings/logs.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const dayMs = 24 * 60 * 60 * 1000;
const line = (message: string, level: 'debug' | 'info' | 'error' = 'info') =>
  ({ stream: 'stderr', level, message }) as const;

test('A file is begun anew when its first line is too old, however small it is, also by another process', async (t) => {
  const directory = tempFolder(t);
  const file = join(directory, 'p.jsonl');
  const clock = new FakeClock();
  const log = new PluginLog(file, clock, { fileAgeMs: 2 * dayMs });
  log.write(line('first'));
  await clock.advance(2 * dayMs - 1);
  log.write(line('still there'));
  assert.deepEqual(readdirSync(directory), ['p.jsonl']);
  await clock.advance(1);
  const other = new PluginLog(file, clock, { fileAgeMs: 2 * dayMs });
  other.write(line('anew'));
  assert.deepEqual(readdirSync(directory).sort(), ['p.jsonl', 'p.jsonl.1']);
  // What the other one began is new: it is not put by once more.
  log.write(line('beside it'));
  assert.deepEqual(readdirSync(directory).sort(), ['p.jsonl', 'p.jsonl.1']);
  assert.deepEqual(
    PluginLog.read(file, { lines: 10 }).map(({ message }) => message),
    ['first', 'still there', 'anew', 'beside it'],
  );
  log.close();
  other.close();
});

test('As many files are kept as the settings say, and those over it go when they say fewer', (t) => {
  const directory = tempFolder(t);
  const file = join(directory, 'p.jsonl');
  const clock = new FakeClock();
  const write = (files: number, lines: number): void => {
    const log = new PluginLog(file, clock, { files, fileBytes: 200 });
    for (let index = 0; index < lines; index += 1) log.write(line('x'.repeat(100)));
    log.close();
  };
  write(6, 20);
  assert.equal(logFiles(file).length, 6);
  assert.equal(PluginLog.read(file, { lines: 100 }).length, 6, 'all of them are read');
  write(2, 3);
  assert.deepEqual(logFiles(file), [file, `${file}.1`]);
  assert.equal(existsSync(`${file}.5`), false);
  assert.match(readFileSync(file, 'utf8'), /xxx/);
});

test('An open log follows what the settings say by now', (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const log = new PluginLog(file, new FakeClock());
  for (let index = 0; index < 5; index += 1) log.write(line('x'.repeat(100)));
  assert.deepEqual(logFiles(file), [file]);
  log.rotateAs(rotationOf('p', logsSection.parse({ file_mb: 0.01, files: 2 })));
  for (let index = 0; index < 300; index += 1) log.write(line('x'.repeat(100)));
  log.close();
  assert.deepEqual(logFiles(file), [file, `${file}.1`]);
  for (const one of logFiles(file)) assert.ok(statSync(one).size <= 0.01 * 1024 * 1024);
});

test('Lines are read from a time on, and of a level and those above it', async (t) => {
  const file = join(tempFolder(t), 'p.jsonl');
  const clock = new FakeClock();
  const log = new PluginLog(file, clock);
  log.write(line('old', 'error'));
  await clock.advance(60_000);
  for (const level of ['debug', 'info', 'error'] as const) log.write(line(level, level));
  const since = new Date('2026-01-01T00:01:00.000Z');
  const read = (options: object): string[] =>
    PluginLog.read(file, { lines: 10, ...options }).map(({ message }) => message);
  assert.deepEqual(read({ since }), ['debug', 'info', 'error']);
  assert.deepEqual(read({ level: 'info' }), ['old', 'info', 'error']);
  assert.deepEqual(read({ since, level: 'error' }), ['error']);
  assert.deepEqual(read({ level: 'error', lines: 1 }), ['error']);
  log.close();
});

test('The settings of one plugin count more than the general ones, and those more than ours', () => {
  const section = logsSection.parse({ files: 5, plugins: { chatty: { file_mb: 10, file_days: 1 } } });
  assert.deepEqual(rotationOf('chatty', section), { fileBytes: 10 * 1024 * 1024, fileAgeMs: dayMs, files: 5 });
  assert.deepEqual(rotationOf('other', section), {
    fileBytes: hostLimits.logFileBytes,
    fileAgeMs: hostLimits.logFileDays * dayMs,
    files: 5,
  });
  assert.equal(rotationOf('other', undefined).files, hostLimits.logFiles);
});
