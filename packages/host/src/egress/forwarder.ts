import type { EgressRule } from './rule.ts';

/** Where the proxy is found inside the sandbox. The address belongs to that plugin alone: it has its own network. */
const proxyPort = 3128;
const proxyUrl = `http://127.0.0.1:${proxyPort}`;
/** The same listener speaks both. The `h` leaves names to the host: the plugin's network has no resolver. */
const socksUrl = `socks5h://127.0.0.1:${proxyPort}`;

/** The programs a forwarder is made of, by absolute path. */
export interface ForwarderTools {
  readonly setpriv: string;
  readonly nsenter: string;
  readonly socat: string;
}

/** What a launch with network grants needs besides its sandbox, as plain data. */
export interface EgressPlan {
  readonly rules: readonly EgressRule[];
  readonly tools: ForwarderTools;
  /** A root host enters the network namespace alone; an ordinary user's also the user namespace that owns it. */
  readonly dropsRoot: boolean;
}

/**
 * Tells programs of the proxy, each in its own way: web clients read the variable of their scheme, and what speaks
 * another protocol (MQTT, databases) `ALL_PROXY`, which it can only follow by SOCKS. `NO_PROXY` is empty: also what the
 * plugin calls this machine is outside of its network.
 */
export const proxyVariables: Readonly<Record<string, string>> = {
  HTTP_PROXY: proxyUrl,
  HTTPS_PROXY: proxyUrl,
  ALL_PROXY: socksUrl,
  NO_PROXY: '',
  http_proxy: proxyUrl,
  https_proxy: proxyUrl,
  // curl and Go take the other spelling where this one is empty. For Python it takes the other one away: libraries such
  // as httpx refuse to work at all when they see SOCKS and lack the package for it, though they would not use it.
  all_proxy: '',
  no_proxy: '',
  // Node reads the variables above only when told to, from version 22.21 and 24 on.
  NODE_USE_ENV_PROXY: '1',
};

/** The file in the folder of a launch's proxy: what `forwarderCommand` connects to from its working folder. */
export const socketName = 'egress.sock';

/** What the forwarder prints when it listens. */
export const forwarderReady = /listening on/;

/**
 * The command that brings a launch's proxy into its network: a listener made inside the namespace by a process that
 * stays outside, so that the plugin needs no unix socket and no program. It ends with the host. To be run in the folder
 * of the socket: its path, which may be long or hold any character, then never reaches socat's syntax.
 */
export function forwarderCommand(
  { tools, dropsRoot }: Pick<EgressPlan, 'tools' | 'dropsRoot'>,
  sandboxPid: number,
  connections: number,
): { readonly file: string; readonly args: readonly string[] } {
  const enter = dropsRoot ? [] : ['--preserve-credentials', '--user'];
  // As root it keeps the uid, which owns the socket, and nothing of what makes that uid powerful.
  const powerless = dropsRoot ? ['--inh-caps=-all', '--bounding-set=-all'] : [];
  return {
    file: tools.nsenter,
    args: [
      ...['--target', String(sandboxPid), ...enter, '--net', '--'],
      ...[tools.setpriv, '--pdeathsig', 'KILL', ...powerless, '--no-new-privs', '--'],
      // -d -d prints the line that says it listens. An end of one direction leaves the other a minute.
      ...[tools.socat, '-d', '-d', '-t', '60', '-b', '65536'],
      // The address is bound although the loopback may come up a moment later.
      `TCP-LISTEN:${proxyPort},bind=127.0.0.1,freebind,reuseaddr,nodelay,fork,max-children=${connections}`,
      `UNIX-CONNECT:${socketName}`,
    ],
  };
}
