import { controlCalls } from '@mmm/protocol';
import type { DaemonClient } from './connect-daemon.ts';
import type { HostClient, PluginClient } from './host-client.ts';

type Callable = (...given: unknown[]) => unknown;

/** The host behind a connection: each method of the control API's table, under its name. */
export function remoteHost(client: DaemonClient, home: string): HostClient {
  const host: Record<string, unknown> = { home };
  for (const [name, { isStream }] of controlCalls) {
    const [first = '', second] = name.split('.');
    if (first === 'handle') continue;
    const method: Callable = isStream
      ? (...given) => client.stream(name, given)
      : (...given) => client.call(name, given);
    if (second === undefined) host[first] = method;
    else host[first] = { ...(host[first] as object | undefined), [second]: method };
  }
  host.plugin = async (id: string) => ({
    ...((await client.call('plugin', [id])) as Pick<
      PluginClient,
      'id' | 'state' | 'pid' | 'generation' | 'lastExit' | 'spec'
    >),
    ...handleMethods(client, id),
  });
  // The table is the type's: a method that one has and the other lacks fails test/unit/host/daemon/remote-host.test.ts.
  return host as unknown as HostClient;
}

function handleMethods(client: DaemonClient, id: string): Record<string, Callable> {
  const entries = [...controlCalls].filter(([name]) => name.startsWith('handle.'));
  return Object.fromEntries(
    entries.map(([name, { isStream }]): [string, Callable] => [
      name.slice('handle.'.length),
      isStream ? (...given) => client.stream(name, [id, ...given]) : (...given) => client.call(name, [id, ...given]),
    ]),
  );
}
