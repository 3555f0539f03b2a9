// Takes a minute: a process that emits under load is killed again and again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { createHost } from '@mmm/host';
import { tempFolder } from '../support/temp-folder.ts';

const kills = 20;
/** Acknowledgements after which a process is killed: at most so many. */
const acknowledgedMax = 300;
const program = [
  '--import',
  'tsx',
  '--conditions=mmm-source',
  join(import.meta.dirname, '../support/emitting-host.ts'),
];

/** Runs one process until it has acknowledged so many events, and kills it. Returns what it acknowledged. */
async function killed(home: string, run: number, after: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [...program, home, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === after) child.kill('SIGKILL');
  }
  assert.deepEqual((await gone)[1], 'SIGKILL', 'it ended by itself');
  return acknowledged;
}

test('kill -9 under load, 20 times: nothing acknowledged is lost, everything is heard, in its order', async (t) => {
  const home = join(tempFolder(t), 'home');
  // So that the listener is known from the first event on.
  const first = spawn(process.execPath, [...program, home, '0', 'drain'], { stdio: 'inherit' });
  assert.deepEqual(await once(first, 'exit'), [0, null]);
  const acknowledged = new Map<number, readonly string[]>();
  for (let run = 1; run <= kills; run += 1) {
    acknowledged.set(run, await killed(home, run, 1 + Math.floor(Math.random() * acknowledgedMax)));
  }
  const last = spawn(process.execPath, [...program, home, '0', 'drain'], { stdio: 'inherit' });
  assert.deepEqual(await once(last, 'exit'), [0, null]);

  const host = await createHost({ home, searchPath: [] });
  t.after(() => host.close());
  const journal = await host.events.list({ types: ['load.*'], limit: 10_000 });
  for (const [run, lines] of acknowledged) {
    const own = journal.filter(({ source }) => source === `app:run${run}`);
    const numbers = own.map(({ data }) => (data as { n: number }).n);
    // Without a gap and in order: what was acknowledged, and perhaps some more.
    assert.deepEqual(numbers, [...numbers.keys()], `the order of run ${run}`);
    const known = new Set(own.map(({ id, data }) => `${id} ${(data as { n: number }).n}`));
    for (const line of lines) assert.ok(known.has(line), `run ${run} lost ${line}, which was acknowledged`);
  }
  const heardFile = join(home, 'heard.log');
  assert.ok(existsSync(heardFile));
  const heard = readFileSync(heardFile, 'utf8').trimEnd().split('\n');
  const firsts = [...new Set(heard.map((line) => line.split(' ', 1)[0]))];
  assert.deepEqual(
    firsts,
    journal.map(({ id }) => id),
    'each event was heard, for the first time in the order of the journal',
  );
  assert.deepEqual(await host.events.deadLetters(), []);
});
