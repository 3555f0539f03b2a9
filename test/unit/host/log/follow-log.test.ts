import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { followLog } from '../../../../packages/host/src/log/follow-log.ts';
import { PluginLog } from '../../../../packages/host/src/log/plugin-log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

function followed(t: Parameters<typeof tempFolder>[0], fileBytes = 1_000_000) {
  const clock = new FakeClock();
  const file = join(tempFolder(t), 'pet.jsonl');
  const log = new PluginLog(file, clock, { fileBytes, linesPerSecond: 10_000 });
  t.after(() => log.close());
  const ended = new AbortController();
  const lines = followLog(file, { lines: 2, signal: ended.signal, clock });
  return {
    write: (message: string) => log.write({ stream: 'log', level: 'info', message }),
    next: async (): Promise<string | undefined> => {
      const line = lines.next();
      // It may be waiting for the next look.
      await clock.advance(hostLimits.logFollowMs);
      const { value } = await line;
      return value?.message;
    },
    end: () => ended.abort(),
  };
}

test('the last lines come first, and each further one once', async (t) => {
  const { write, next } = followed(t);
  for (const message of ['one', 'two', 'three']) write(message);
  assert.deepEqual([await next(), await next()], ['two', 'three']);
  write('four');
  write('five');
  assert.deepEqual([await next(), await next()], ['four', 'five']);
});

test('a log that nobody has written yet is followed from its first line on', async (t) => {
  const { write, next } = followed(t);
  const first = next();
  write('first');
  assert.equal(await first, 'first');
});

test('no line is lost when the file is put by and a new one is begun', async (t) => {
  const { write, next } = followed(t, 400);
  write('0');
  assert.equal(await next(), '0');
  const wanted = Array.from({ length: 8 }, (_each, index) => String(index + 1));
  const got: unknown[] = [];
  for (const message of wanted) {
    write(message);
    got.push(await next());
  }
  assert.deepEqual(got, wanted);
});

test('the end that was asked for is the end', async (t) => {
  const { write, next, end } = followed(t);
  write('one');
  assert.equal(await next(), 'one');
  end();
  assert.equal(await next(), undefined);
});
