import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, Plugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { pluginProcesses } from '../../../scripts/plugin-processes.ts';
import { type Fixture, fixtureHost } from '../fixture-host.ts';
import { compileFixture } from '../native-program.ts';
import type { HostileRow } from './row.ts';

export type Level = 'process' | 'none';

/** A deadline that decides nothing. */
const longMs = 60_000;

/** A host in which hostile plugins live beside one that does nothing wrong. */
export interface World {
  readonly host: Host;
  readonly level: Level;
  /** The one that must not feel anything. */
  readonly bystander: Plugin;
  /** Closes the host. Fails when a process of any plugin outlives it. */
  end(): Promise<void>;
}

/** Installs the plugin of every row, to run at this level, and starts the bystander. */
export async function openWorld(
  t: { after(run: () => unknown): void },
  level: Level,
  rows: readonly HostileRow[],
  programs: string,
): Promise<World> {
  const fixtures = rows.map((row) => fixtureOf(row, level, programs));
  const names = fixtures.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length, 'every row has a sentence of its own');
  const good: Fixture = { behaviour: 'echo', name: bystanderName(level) };
  const all = [bystanderName(level), ...names];
  const { host } = await fixtureHost(t, [good, ...fixtures], level === 'none' ? { sandboxNoneFor: all } : {});
  const bystander = await host.plugin(bystanderName(level));
  await bystander.start();
  return {
    host,
    level,
    bystander,
    end: async () => {
      assert.ok(pluginProcesses(new Set(all)).length > 0, 'a process of a plugin that runs is found');
      await host.close();
      // More than a host promises to end in time live here: those it killed last may still be on their way out.
      const startedMs = performance.now();
      while (pluginProcesses(new Set(all)).length > 0 && performance.now() - startedMs < longMs) {
        await new Promise<void>((resolve) => systemClock.immediate(resolve));
      }
      assert.deepEqual(pluginProcesses(new Set(all)), [], 'a process of a plugin outlives its host');
    },
  };
}

/** Has the plugin of a row do its worst, and checks what came of it. */
export async function meet(row: HostileRow, { host, level, bystander }: World): Promise<void> {
  const plugin = await host.plugin(nameOf(row, level));
  const started = await outcomeOf(plugin.start().then(() => 'ok'));
  // Whoever ends right after hello may end before or after it counts as started.
  if (row.start !== undefined) assertOutcome(started, row.start, 'its start');
  const calls = row.start === undefined ? (row.calls ?? ['well']) : [];
  const call = () => outcomeOf(plugin.execute('run', {}, { timeoutMs: row.timeoutMs ?? longMs }).then(textOf));
  const meanwhile = bystander.execute('run', row.that);
  const outcomes = row.together === true ? await Promise.all(calls.map(call)) : [];
  for (const expected of row.together === true ? [] : calls) {
    outcomes.push(await call());
    assertOutcome(outcomes.at(-1), expected, `call ${outcomes.length}`);
    // What matters here is how a call ends, not how long a plugin is kept waiting after so many crashes.
    if (outcomes.at(-1)?.startsWith('PLUGIN_EXITED')) plugin.reset();
  }
  if (row.together === true) assert.deepEqual(outcomes, calls);
  assert.equal((await meanwhile).output, row.that, 'another plugin is answered meanwhile');
  assert.equal((await bystander.execute('run', 'and after')).output, 'and after');
  if (row.log !== undefined) await assertLogged(host, plugin, row.log);
}

/** Worlds live at the same time, and processes are told apart by the name of their plugin. */
/** Of this process alone: another test file may have the same plugins at the same moment. */
function nameOf({ that }: HostileRow, level: Level): string {
  const words = that
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/_+$/g, '');
  return `${level}_${process.pid}_${words}`;
}

function bystanderName(level: Level): string {
  return `${level}_${process.pid}_bystander`;
}

function fixtureOf(row: HostileRow, level: Level, programs: string) {
  const { fixture, words, says, manifest = '' } = row;
  const name = nameOf(row, level);
  const program = join(programs, fixture);
  if (!existsSync(program)) compileFixture(fixture, program);
  const command = ['./program', ...(words?.split(' ') ?? []), ...saidAs(says ?? {})];
  return { behaviour: fixture, name, command, files: { program }, more: manifest } satisfies Fixture;
}

/** The arguments of the fixture that says bytes. An argument ends at its first zero, so that byte is spelt. */
function saidAs(says: NonNullable<HostileRow['says']>): string[] {
  const spelt = (text: string): string => text.replaceAll('%', '%25').replaceAll('\0', '%00');
  return Object.entries(says).flatMap(([method, pieces]) => [
    `@${method}`,
    ...pieces.map((piece) => {
      if (typeof piece === 'number') return `~${piece}`;
      return typeof piece === 'string' ? `=${spelt(piece)}` : `*${piece[1]}=${spelt(piece[0])}`;
    }),
  ]);
}

async function outcomeOf(happens: Promise<string>): Promise<string> {
  try {
    return await happens;
  } catch (error) {
    if (!(error instanceof MmmError)) return `not an MmmError: ${String(error)}`;
    if (!MmmError.is(error, 'PLUGIN_EXITED')) return `${error.code}${reasonOf(error)}`;
    const { reason } = error.data;
    if (reason.kind === 'signal') return `PLUGIN_EXITED ${reason.signal}`;
    return `PLUGIN_EXITED ${reason.kind === 'exit' ? `code ${reason.code}` : reason.kind}`;
  }
}

/** Of a failed launch its reason is what counts; of others the code says all. */
function reasonOf(error: MmmError): string {
  const { reason } = error.data as { reason?: unknown };
  return typeof reason === 'string' ? ` ${reason}` : '';
}

function textOf({ output }: { readonly output: unknown }): string {
  return typeof output === 'string' ? output : JSON.stringify(output);
}

function assertOutcome(actual: string | undefined, expected: string | RegExp, what: string): void {
  if (typeof expected === 'string') assert.equal(actual, expected, what);
  else assert.match(actual ?? '', expected, what);
}

/** Lines are written soon after they came, and a stop sees to it that they have been. */
async function assertLogged(host: Host, plugin: Plugin, wanted: RegExp): Promise<void> {
  await plugin.stop();
  const lines = (await host.logs(plugin.id)).map(({ message }) => message);
  assert.ok(
    lines.some((line) => wanted.test(line)),
    `${wanted} is in the log:\n${lines.slice(0, 20).join('\n')}`,
  );
}
