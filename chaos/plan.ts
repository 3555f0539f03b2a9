import { type FaultName, faultNames, faults } from './faults.ts';
import { seeded } from './random.ts';

/** One fault, at its moment. */
export interface PlannedFault {
  /** Since the beginning of the run. */
  readonly atMs: number;
  /** Index of the plugin. */
  readonly plugin: number;
  readonly fault: FaultName;
}

export interface PlanOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly plugins: number;
  readonly faultsPerSecond: number;
}

/**
 * What is done to which plugin when: a function of the options alone, in order of time. Plugins take turns in an order
 * that is drawn anew each round, so that no plugin is left alone and none gets two faults on the heels of each other.
 */
export function plan({ seed, seconds, plugins, faultsPerSecond }: PlanOptions): readonly PlannedFault[] {
  const random = seeded(seed);
  const stepMs = 1000 / faultsPerSecond;
  const count = Math.floor(seconds * faultsPerSecond);
  const planned: PlannedFault[] = [];
  let round: number[] = [];
  for (let index = 0; index < count; index += 1) {
    if (round.length === 0) round = shuffled(plugins, random);
    const plugin = round.pop() ?? 0;
    planned.push({ atMs: Math.round((index + random()) * stepMs), plugin, fault: drawFault(random()) });
  }
  return planned;
}

function drawFault(random: number): FaultName {
  const total = faultNames.reduce((sum, name) => sum + faults[name].weight, 0);
  let left = random * total;
  for (const name of faultNames) {
    left -= faults[name].weight;
    if (left < 0) return name;
  }
  return 'exit';
}

function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [order[index], order[other]] = [order[other] ?? 0, order[index] ?? 0];
  }
  return order;
}
