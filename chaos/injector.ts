import { readFileSync } from 'node:fs';
import type { Plugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { type Fault, type FaultName, faultNames, faults } from './faults.ts';
import { causeOf, type Ledger } from './ledger.ts';
import type { PlannedFault } from './plan.ts';

/**
 * For the answer to a call with a fault. Silence is noticed well before, even on a machine with too much to do; a flood
 * waits for its turns among all the others, there for long, and that is as it should be.
 */
const deadlineMs = 60_000;
/** How often a plugin is looked at that is to be killed as soon as it runs. */
const pollMs = 2;

/** How many of each fault were done, and how many ended as they must. */
export type Tally = Readonly<Record<FaultName, { injected: number; survived: number }>>;

/** Does what was planned, each fault at its moment or as soon as the one before it on that plugin is over. */
export class Injector {
  readonly tally: Tally = Object.fromEntries(
    faultNames.map((name) => [name, { injected: 0, survived: 0 }]),
  ) as unknown as Tally;
  readonly #plugins: readonly Plugin[];
  readonly #ledger: Ledger;
  /** The last fault of each plugin: the next one waits for it. */
  readonly #last = new Map<Plugin, Promise<void>>();
  #count = 0;

  constructor(plugins: readonly Plugin[], ledger: Ledger) {
    this.#plugins = plugins;
    this.#ledger = ledger;
  }

  /** Resolves when every planned fault is over. */
  async run(planned: readonly PlannedFault[]): Promise<void> {
    const startMs = systemClock.monotonic();
    for (const { atMs, plugin: index, fault } of planned) {
      const plugin = this.#plugins[index];
      if (plugin === undefined) continue;
      await systemClock.sleep(Math.max(0, startMs + atMs - systemClock.monotonic()));
      const before = this.#last.get(plugin) ?? Promise.resolve();
      this.#last.set(
        plugin,
        before.then(() => this.#inject(plugin, fault)),
      );
    }
    await Promise.all(this.#last.values());
  }

  async #inject(plugin: Plugin, name: FaultName): Promise<void> {
    const fault: Fault = faults[name];
    this.tally[name].injected += 1;
    const wrong = fault.by === 'host' ? await killFromOutside(plugin, name) : await this.#ask(plugin, name);
    if (wrong === undefined) this.tally[name].survived += 1;
    else this.#ledger.complain(`${plugin.id} was to get "${name}", and ${wrong}`);
  }

  /** Returns what was not as it must be. */
  async #ask(plugin: Plugin, name: FaultName): Promise<string | undefined> {
    const { expected }: Fault = faults[name];
    this.#count += 1;
    const tag = `fault-${this.#count}`;
    const entry = this.#ledger.made(plugin.id, tag);
    try {
      const { output } = await plugin.execute('once', { tag, fault: name }, { timeoutMs: deadlineMs });
      entry.answered(output);
      return expected === 'answer' ? undefined : 'the call was answered';
    } catch (error) {
      entry.failed(error);
      const isRight = MmmError.is(error, 'PLUGIN_EXITED') && expected !== 'answer' && expected(error.data.reason);
      return isRight ? undefined : `the call failed with ${String(error)}`;
    }
  }
}

/** SIGKILL for the whole sandbox or for the plugin in it: the host must say so. Returns what was not as it must be. */
async function killFromOutside(plugin: Plugin, name: FaultName): Promise<string | undefined> {
  const { expected }: Fault = faults[name];
  const giveUpMs = systemClock.monotonic() + deadlineMs;
  while (plugin.pid === null || plugin.state.kind !== 'running') {
    if (systemClock.monotonic() > giveUpMs) return `it did not run but was ${plugin.state.kind}`;
    await systemClock.sleep(pollMs);
  }
  const before = plugin.lastExit;
  try {
    process.kill(name === 'killed inside its sandbox' ? innermost(plugin.pid) : plugin.pid, 'SIGKILL');
  } catch {
    return 'there was no process to kill';
  }
  while (plugin.lastExit === before) {
    if (systemClock.monotonic() > giveUpMs) return 'the host did not notice';
    await systemClock.sleep(pollMs);
  }
  const { lastExit } = plugin;
  const isRight = lastExit !== null && expected !== 'answer' && expected(lastExit);
  return isRight ? undefined : `its exit was ${lastExit === null ? 'none' : causeOf(lastExit)}`;
}

/** The plugin itself: the last of the chain of processes of which each has started the next. */
function innermost(pid: number): number {
  try {
    const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return child === '' ? pid : innermost(Number(child));
  } catch {
    return pid;
  }
}
