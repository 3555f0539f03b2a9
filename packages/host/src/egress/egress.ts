import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { Refusal } from './decide.ts';
import type { FetchRequest, FetchResponse } from './fetch.ts';
import { type Lookup, Resolver } from './resolver.ts';
import type { EgressRule } from './rule.ts';
import { removeAbandonedFolders, SocketFolder } from './socket-folder.ts';
import { Traffic, type TrafficSummary } from './traffic.ts';
import { Turns } from './turns.ts';

export interface EgressServices {
  /** An existing folder of this user alone. */
  readonly runDirectory: string;
  readonly lookup: Lookup;
  readonly clock: Clock;
  /** Certificates trusted besides the usual ones, for `fetch`. Default: none. */
  readonly certificates?: readonly string[];
  /** Called for each refusal of the proxy and of `fetch`. `asked` is `h:443`, or says that it could not be read. */
  onRefused(plugin: string, asked: string, refusal: Refusal): void;
  /** Called when a launch has ended, if it used its network. */
  onTraffic(plugin: string, summary: TrafficSummary): void;
}

/** The proxy of one launch. */
export interface EgressDoor {
  /** The folder that holds its socket, `socketName`. */
  readonly directory: string;
  /** Cuts every connection and removes the socket, at once. */
  close(): void;
}

/** What all launches of a host share: the bound on lookups, and the folder of the sockets. */
export class Egress {
  readonly #services: EgressServices;
  readonly #lookups = new Turns(hostLimits.lookupsAtOnce);
  #cleaned: Promise<void> | undefined;

  constructor(services: EgressServices) {
    this.#services = services;
  }

  forLaunch(plugin: string): LaunchNetwork {
    return new LaunchNetwork(plugin, this.#services, this.#lookups, () => {
      const { runDirectory, clock } = this.#services;
      this.#cleaned ??= removeAbandonedFolders(runDirectory, clock.now()).catch(() => undefined);
    });
  }
}

/** Every way from one launch to the network: its proxy and its `fetch`, counted together. */
export class LaunchNetwork {
  readonly #plugin: string;
  readonly #services: EgressServices;
  readonly #cleanUp: () => void;
  readonly #traffic: Traffic;
  readonly #resolver: Resolver;
  readonly #fetches = new Turns(hostLimits.fetchesAtOnce);

  constructor(plugin: string, services: EgressServices, lookups: Turns, cleanUp: () => void) {
    this.#plugin = plugin;
    this.#services = services;
    this.#cleanUp = cleanUp;
    this.#traffic = new Traffic((asked, refusal) => services.onRefused(plugin, asked, refusal));
    this.#resolver = new Resolver({ lookup: services.lookup, clock: services.clock, everyone: lookups });
  }

  /** Opens a proxy that knows these rules only. Rejects when its socket cannot be made. */
  async open(rules: readonly EgressRule[]): Promise<EgressDoor> {
    this.#cleanUp();
    // Loaded when it is needed: the modules behind it cost every command some milliseconds.
    const { EgressProxy } = await import('./proxy.ts');
    const proxy = new EgressProxy({
      clock: this.#services.clock,
      traffic: this.#traffic,
      judge: (target) => this.#resolver.judge(rules, target),
    });
    const folder = new SocketFolder(this.#services.runDirectory);
    const close = (): void => {
      proxy.close();
      folder.remove();
    };
    try {
      await proxy.listen(folder.socketPath);
      folder.protect();
    } catch (error) {
      close();
      throw error;
    }
    return { directory: folder.directory, close };
  }

  /** One request under the same decision as the proxy. Rejects with the RpcError the plugin gets. */
  async fetch(rules: readonly EgressRule[], request: FetchRequest, signal: AbortSignal): Promise<FetchResponse> {
    const { clock, certificates } = this.#services;
    const { fetchOnce } = await import('./fetch.ts');
    return await this.#fetches.run(() => {
      return fetchOnce(request, {
        clock,
        traffic: this.#traffic,
        signal,
        judge: (target) => this.#resolver.judge(rules, target),
        ...(certificates === undefined ? {} : { certificates }),
      });
    });
  }

  /** To be called once, when the launch has ended: tells what it did. */
  ended(): void {
    const summary = this.#traffic.summary();
    if (summary !== undefined) this.#services.onTraffic(this.#plugin, summary);
  }
}
