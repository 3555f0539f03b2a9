import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import type { Host, Plugin } from '@mmm/host';
import { confined } from './confined.ts';
import { fixtureHost } from './fixture-host.ts';

const hasSocat = spawnSync('socat', ['-V']).status === 0;
const hasPython = existsSync('/usr/bin/python3');

/** Options of a test in which plugins in Python reach hosts: skipped, with the reason, where that cannot be. */
export const networked: { readonly skip?: string } =
  confined.skip === undefined && !(hasSocat && hasPython)
    ? { skip: 'socat or /usr/bin/python3 is missing here' }
    : confined;

/** As `networked`, for a test that needs further programs. */
export function networkedWith(...programs: string[]): { readonly skip?: string } {
  const missing = programs.filter((name) => !existsSync(`/usr/bin/${name}`) && !existsSync(`/bin/${name}`));
  return missing.length === 0 ? networked : { skip: `${missing.join(' and ')} is missing here` };
}

export interface Networked {
  /** The hosts it is granted, `h:1`; private ones, since the servers of a test are on this machine. */
  readonly hosts: readonly string[];
  /** The programs it may start. */
  readonly commands?: readonly string[];
  /** Files beside its program. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface NetworkWorld {
  readonly host: Host;
  readonly home: string;
  /** The plugins by name. */
  readonly plugins: Readonly<Record<string, Asker>>;
}

export interface Asker {
  readonly handle: Plugin;
  /** Runs one of the operations of the fixture. */
  ask<T = string>(operation: string, ...args: unknown[]): Promise<T>;
}

/**
 * A host with plugins in Python that try what they are told. Names ending in `.test` are this machine, but for those
 * of `elsewhere`; all others do not exist.
 */
export async function networkWorld(
  t: TestContext,
  plugins: Readonly<Record<string, Networked>>,
): Promise<NetworkWorld> {
  const elsewhere: Readonly<Record<string, readonly string[]>> = {
    'metadata.test': ['169.254.169.254', 'fd00:ec2::254', '168.63.129.16', '100.100.100.200'],
    'mapped.test': ['::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '2002:7f00:1::1'],
  };
  const { host, home } = await fixtureHost(
    t,
    Object.entries(plugins).map(([name, { hosts, commands = [], files = {} }]) => ({
      behaviour: 'uses-network-python',
      name,
      command: ['python3', 'main.py'],
      files,
      more: `[permissions]
network = [${hosts.map((entry) => `{ host = "${entry}", private = true }`).join(', ')}]
commands = [${commands.map((entry) => `{ name = "${entry}" }`).join(', ')}]`,
      grant: [...hosts.map((entry) => `network=${entry}!private`), ...commands.map((entry) => `commands=${entry}`)],
    })),
    {
      lookup: async (name) => {
        if (name.endsWith('.test')) return elsewhere[name] ?? ['127.0.0.1'];
        throw Object.assign(new Error(name), { code: 'ENOTFOUND' });
      },
    },
  );
  const asker = async (name: string): Promise<Asker> => {
    const handle = await host.plugin(name);
    return {
      handle,
      ask: async <T>(...input: unknown[]) => (await handle.execute('run', input)).output as T,
    };
  };
  const entries = await Promise.all(Object.keys(plugins).map(async (name) => [name, await asker(name)] as const));
  return { host, home, plugins: Object.fromEntries(entries) };
}
