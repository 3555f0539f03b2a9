import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Event } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import type { Fixture } from './fixture-host.ts';

/** A plugin that hears events of these types, for ever. */
export function hears(name: string, events: readonly string[], more = ''): Fixture {
  const subscriptions = `[subscriptions]\nevents = ${JSON.stringify(events)}\n`;
  return { behaviour: 'hears-events', name, more: `${subscriptions}${more}` };
}

export function hooks(name: string, events: readonly string[], more = ''): Fixture {
  const hook = `[[capabilities]]\nkind = "hook"\nname = "judge"\nevents = ${JSON.stringify(events)}\n`;
  return { behaviour: 'hears-events', name, more: `${hook}${more}` };
}

/** Resolves when it is so. The test's own deadline ends it when it never is. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await systemClock.sleep(20);
}

/** What a plugin was told, oldest first. */
export function heard(home: string, plugin: string): readonly Event[] {
  const file = join(home, 'data', plugin, 'events.log');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
}

export function types(home: string, plugin: string): readonly string[] {
  return heard(home, plugin).map(({ type }) => type);
}
