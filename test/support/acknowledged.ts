import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createHost, type Host } from '@mmm/host';

/** What a program that writes says once it was told that it is stored. */
export type Acknowledged =
  | { readonly what: 'value'; readonly key: string; readonly number: number; readonly version: number }
  | { readonly what: 'pair'; readonly key: string; readonly number: number }
  | { readonly what: 'granted' | 'revoked'; readonly seq: number }
  | { readonly what: 'event'; readonly id: string; readonly number: number }
  | { readonly what: 'failed'; readonly code: string; readonly message: string };

export interface Run {
  readonly lines: readonly Acknowledged[];
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly errors: string;
}

/** Runs a program until it has acknowledged so many writes, then kills it with SIGKILL; or until it ends. */
export async function runUntil(command: readonly string[], acknowledged: number): Promise<Run> {
  const [program = '', ...words] = command;
  // What is measured of the tests would be written at its end, under the same faults.
  const { NODE_V8_COVERAGE: _theTests, ...inherited } = process.env;
  // Where a fault is put at the nth call of a kind: strace counts for each thread by itself.
  const env = { ...inherited, UV_THREADPOOL_SIZE: '1' };
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
  const lines: Acknowledged[] = [];
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes.toString();
  });
  const ended = new Promise<Pick<Run, 'signal' | 'code'>>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(JSON.parse(line) as Acknowledged);
    // With whatever it runs under: a tracer that is killed alone lets what it traced go on.
    if (lines.length === acknowledged) process.kill(-(child.pid ?? 0), 'SIGKILL');
  }
  return { lines, ...(await ended), errors };
}

/** Opens the home and finds everything that was acknowledged in it, whole. Returns how many writes that were. */
export async function assertKept(home: string, plugin: string, { lines }: Run, round: string): Promise<number> {
  await using host = await createHost({ home });
  const numbers = new Map<string, number>();
  for (const line of lines) if (line.what === 'value') numbers.set(line.key, line.number);
  for (const { key } of await host.state.list('global')) {
    const { value } = await host.state.get('global', key);
    if (typeof value === 'number') continue;
    const { number, text } = value as { readonly number: number; readonly text: string };
    assert.equal(text, `${number}.`.repeat(1 + ((number * 37) % 900)), `${round}: the value of ${key} is torn`);
    const told = numbers.get(key) ?? 0;
    assert.ok(
      (number >= told && number <= told + 1) || !numbers.has(key),
      `${round}: ${key} has ${number}, told ${told}`,
    );
    numbers.delete(key);
  }
  assert.deepEqual([...numbers.keys()], [], `${round}: values are gone`);
  await assertPairs(host, lines, round);
  await assertGrants(host, plugin, lines, round);
  const ids = new Set((await host.events.list({ limit: 10_000 })).map(({ id }) => id));
  for (const line of lines) if (line.what === 'event') assert.ok(ids.has(line.id), `${round}: event ${line.number}`);
  return lines.length;
}

async function assertPairs(host: Host, lines: readonly Acknowledged[], round: string): Promise<void> {
  const told = lines.findLast((line) => line.what === 'pair');
  if (told?.what !== 'pair') return;
  const [left, right] = await Promise.all(
    ['left', 'right'].map((one) => host.state.get('global', `${told.key}-${one}`)),
  );
  assert.equal(left?.value, right?.value, `${round}: half of a change is there`);
  assert.ok(Number(left?.value) >= told.number, `${round}: pair ${told.number} is gone`);
}

async function assertGrants(host: Host, plugin: string, lines: readonly Acknowledged[], round: string): Promise<void> {
  const { problem, entries } = host.audit.verify();
  assert.equal(problem, undefined, `${round}: ${problem?.reason}`);
  const decisions = lines.flatMap((line) => (line.what === 'granted' || line.what === 'revoked' ? [line] : []));
  const last = decisions.at(-1);
  if (last === undefined) return;
  assert.ok(entries >= last.seq, `${round}: entry ${last.seq} of the audit log is gone`);
  const { permissions } = await host.permissions(plugin);
  const status = permissions.find(({ key }) => key === 'state=global')?.status;
  // One more may have been made that nobody was told of; the log says which, for it comes first.
  const [decision] = host.audit.list({ plugin, limit: 1 });
  const meant = last.what === 'granted' ? 'grant' : 'revoke';
  if (decision?.action === meant) assert.equal(status === 'granted', meant === 'grant', `${round}: the last decision`);
}
