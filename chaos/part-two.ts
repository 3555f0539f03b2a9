import type { Plugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { pluginProcesses } from '../scripts/plugin-processes.ts';
import { callOnce, taggedBy } from './callers.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { Ledger } from './ledger.ts';
import { outcomeTable, type PartOptions } from './part-one.ts';
import { seeded } from './random.ts';
import type { PartReport } from './report.ts';
import { ShiftedClock } from './shifted-clock.ts';

/** The host's own numbers: crashes that quarantine a plugin, and how long it stays there. */
const crashesToQuarantine = 5;
const quarantineMs = 5 * 60_000;
/** No call may wait longer: the longest backoff between five crashes is two seconds. */
const deadlineMs = 20_000;
/** A refusal is an answer, and comes at once. */
const refusalMaxMs = 100;
/** Between two calls of a plugin that is not ill. */
const pauseMs = 50;
const endings = ['exit', 'segv', 'abort', 'kill', 'half'] as const;

/** What happens to plugins that crash again and again, with nothing configured: quarantine, probe, reset. */
export async function partTwo(options: PartOptions): Promise<PartReport> {
  const { folder, seconds, seed, plugins, say } = options;
  const clock = new ShiftedClock();
  const fleet = await openFleet({ folder, plugins, clock });
  const story = new Story(fleet, clock, seed);
  const untilMs = systemClock.monotonic() + seconds * 1000;
  let rounds = 0;
  try {
    await Promise.all(fleet.plugins.map((plugin) => plugin.start()));
    do {
      rounds += 1;
      say(`round ${rounds} of crashes until quarantine`);
      await story.round();
    } while (systemClock.monotonic() < untilMs);
  } finally {
    await fleet.host.close();
  }
  const left = pluginProcesses(new Set(fleet.plugins.map(({ id }) => id)));
  return {
    part: 2,
    summary: `${plugins} plugins (${fleet.languages}), ${rounds} rounds in ${seconds} s, seed ${seed}; all by default.`,
    tables: [
      { title: 'What was seen', rows: [['step', 'tried', 'as promised'], ...story.steps] },
      outcomeTable(story.ledger),
    ],
    promises: [
      ...story.steps.map(([promise, tried, right]) => {
        return { promise, kept: right === tried && tried > 0, seen: `${right} of ${tried}` };
      }),
      {
        promise: 'every call settled once, with its own answer or with its cause',
        kept: story.ledger.totals.made === story.ledger.totals.settled && story.ledger.totals.broken === 0,
        seen: `${story.ledger.totals.made} made, ${story.ledger.totals.settled} settled`,
      },
      { promise: 'no process is left', kept: left.length === 0, seen: `${left.length} left` },
    ],
    complaints: story.ledger.complaints,
  };
}

const promises = {
  quarantine: `the ${crashesToQuarantine}th crash in three minutes quarantines`,
  refusal: 'a call in quarantine is refused at once, with the reason and the end',
  others: 'the others are called meanwhile as if nothing were',
  reset: 'a reset ends a quarantine at once',
  failedProbe: 'a crash of the trial start is one too many',
  probe: 'a trial start after five minutes brings it back',
} as const;

/** Half of the plugins are brought into quarantine and out of it again, each time another half. */
class Story {
  readonly ledger = new Ledger();
  readonly #fleet: Fleet;
  readonly #clock: ShiftedClock;
  readonly #random: () => number;
  readonly #tag = taggedBy('story');
  readonly #seen = new Map<string, { tried: number; right: number }>();
  #round = 0;

  constructor(fleet: Fleet, clock: ShiftedClock, seed: number) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#random = seeded(seed);
  }

  /** Of each promise how often it was tried and how often kept. */
  get steps(): readonly (readonly [string, number, number])[] {
    return Object.values(promises).map((name) => {
      const { tried, right } = this.#seen.get(name) ?? { tried: 0, right: 0 };
      return [name, tried, right];
    });
  }

  async round(): Promise<void> {
    const sick = this.#fleet.plugins.filter((_plugin, index) => index % 2 === this.#round % 2);
    const healthy = this.#fleet.plugins.filter((plugin) => !sick.includes(plugin));
    this.#round += 1;
    const over = new AbortController();
    const meanwhile = Promise.all(healthy.map((plugin) => this.#answersUntil(plugin, over.signal)));
    await Promise.all(sick.map((plugin) => this.#crashUntilQuarantined(plugin)));
    await Promise.all(sick.map((plugin) => this.#refused(plugin)));
    over.abort();
    await meanwhile;
    const [first, ...others] = sick;
    if (first !== undefined) {
      first.reset();
      this.#see(promises.reset, await this.#answers(first));
    }
    this.#clock.pass(quarantineMs);
    await Promise.all(
      others.map(async (plugin, index) => {
        if (index % 2 === 0) {
          this.#see(promises.probe, await this.#answers(plugin));
          return;
        }
        await this.#crash(plugin);
        this.#see(promises.failedProbe, plugin.state.kind === 'quarantined');
        plugin.reset();
        this.#see(promises.reset, await this.#answers(plugin));
      }),
    );
    // Running for as long as counts as stable forgets what was: the next round begins like the first.
    this.#clock.pass(quarantineMs);
    for (const plugin of this.#fleet.plugins) plugin.reset();
  }

  async #crashUntilQuarantined(plugin: Plugin): Promise<void> {
    const states: string[] = [];
    for (let crash = 0; crash < crashesToQuarantine; crash += 1) {
      await this.#crash(plugin);
      states.push(plugin.state.kind);
    }
    const wanted = [...Array.from({ length: crashesToQuarantine - 1 }, () => 'backoff'), 'quarantined'];
    this.#see(promises.quarantine, states.join() === wanted.join(), `${plugin.id} went ${states.join(', ')}`);
  }

  /** One crash in a call, and the host's own knowledge of it. */
  async #crash(plugin: Plugin): Promise<void> {
    const fault = endings[Math.floor(this.#random() * endings.length)];
    const tag = this.#tag();
    const entry = this.ledger.made(plugin.id, tag);
    try {
      entry.answered((await plugin.execute('once', { tag, fault }, { timeoutMs: deadlineMs })).output);
      this.ledger.complain(`${plugin.id} answered although it was asked to ${fault}`);
    } catch (error) {
      entry.failed(error);
      if (!MmmError.is(error, 'PLUGIN_EXITED')) this.ledger.complain(`${plugin.id} crashed with ${String(error)}`);
    }
  }

  async #refused(plugin: Plugin): Promise<void> {
    const startedMs = systemClock.monotonic();
    const tag = this.#tag();
    const entry = this.ledger.made(plugin.id, tag);
    try {
      entry.answered((await plugin.execute('once', { tag }, { timeoutMs: deadlineMs })).output);
      this.#see(promises.refusal, false, `${plugin.id} answered in quarantine`);
    } catch (error) {
      entry.failed(error);
      const isRight =
        MmmError.is(error, 'PLUGIN_UNAVAILABLE') &&
        error.data.state === 'quarantined' &&
        isAhead(error.data.untilMs, this.#clock.now()) &&
        error.data.cause !== '' &&
        systemClock.monotonic() - startedMs < refusalMaxMs;
      this.#see(promises.refusal, isRight, `${plugin.id} was refused with ${String(error)}`);
    }
  }

  /** Called again and again: one call that is not answered breaks the promise. */
  async #answersUntil(plugin: Plugin, signal: AbortSignal): Promise<void> {
    do {
      this.#see(promises.others, await this.#answers(plugin));
      await systemClock.sleep(pauseMs);
    } while (!signal.aborted);
  }

  async #answers(plugin: Plugin): Promise<boolean> {
    return await callOnce(plugin, 'once', this.#tag(), this.ledger);
  }

  #see(promise: string, isRight: boolean, otherwise?: string): void {
    const seen = this.#seen.get(promise) ?? { tried: 0, right: 0 };
    this.#seen.set(promise, { tried: seen.tried + 1, right: seen.right + (isRight ? 1 : 0) });
    if (!isRight && otherwise !== undefined) this.ledger.complain(otherwise);
  }
}

/** A quarantine ends within its five minutes, and not before they are over. */
function isAhead(untilMs: number | null, nowMs: number): boolean {
  return untilMs !== null && untilMs > nowMs && untilMs <= nowMs + quarantineMs;
}
