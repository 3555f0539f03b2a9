import { RpcError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { Refusal, Verdict } from './decide.ts';
import type { FetchRequest, FetchResponse } from './fetch.ts';
import { type Lookup, Resolver } from './resolver.ts';
import type { EgressRule, Target } from './rule.ts';
import { removeAbandonedFolders, SocketFolder } from './socket-folder.ts';
import { Traffic, type TrafficObserver, type TrafficSummary } from './traffic.ts';
import { Turns } from './turns.ts';

export interface EgressServices {
  /** An existing folder of this user alone. */
  readonly runDirectory: string;
  readonly lookup: Lookup;
  readonly clock: Clock;
  /** Certificates trusted besides the usual ones, for `fetch`. Default: none. */
  readonly certificates?: readonly string[];
  /**
   * Called before the first connection of a launch to each target, `h:443`. What it throws refuses the connection. The
   * targets beyond `hostLimits.trafficTargets` are one, `others`.
   */
  onAllowed(plugin: string, target: string): void;
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
  readonly #launches = new Map<string, Set<LaunchNetwork>>();
  #cleaned: Promise<void> | undefined;

  constructor(services: EgressServices) {
    this.#services = services;
  }

  forLaunch(plugin: string): LaunchNetwork {
    const launches = this.#launches.get(plugin) ?? new Set();
    this.#launches.set(plugin, launches);
    const network: LaunchNetwork = new LaunchNetwork(plugin, this.#services, {
      lookups: this.#lookups,
      opening: () => {
        const { runDirectory, clock } = this.#services;
        this.#cleaned ??= removeAbandonedFolders(runDirectory, clock.now()).catch(() => undefined);
      },
      ended: () => {
        launches.delete(network);
        if (launches.size === 0 && this.#launches.get(plugin) === launches) this.#launches.delete(plugin);
      },
    });
    launches.add(network);
    return network;
  }

  /** Cuts every connection of a plugin at once: what allowed them was taken away. Its launches get no other one. */
  cut(plugin: string): void {
    for (const network of this.#launches.get(plugin) ?? []) network.cut();
  }
}

/** What a launch has of its host's. */
interface Shared {
  readonly lookups: Turns;
  opening(): void;
  ended(): void;
}

/** Every way from one launch to the network: its proxy and its `fetch`, counted together. */
export class LaunchNetwork {
  readonly #plugin: string;
  readonly #services: EgressServices;
  readonly #shared: Shared;
  readonly #traffic: Traffic;
  readonly #resolver: Resolver;
  readonly #fetches = new Turns(hostLimits.fetchesAtOnce);
  readonly #doors = new Set<EgressDoor>();
  readonly #cut = new AbortController();

  constructor(plugin: string, services: EgressServices, shared: Shared) {
    this.#plugin = plugin;
    this.#services = services;
    this.#shared = shared;
    this.#traffic = new Traffic({
      onFirst: (target) => services.onAllowed(plugin, target),
      onRefused: (asked, refusal) => services.onRefused(plugin, asked, refusal),
    });
    this.#resolver = new Resolver({ lookup: services.lookup, clock: services.clock, everyone: shared.lookups });
  }

  /** Tells of each connection of this launch from now on. */
  observe(observer: TrafficObserver): void {
    this.#traffic.observe(observer);
  }

  /** Opens a proxy that knows these rules only. Rejects when its socket cannot be made. */
  async open(rules: readonly EgressRule[]): Promise<EgressDoor> {
    this.#cut.signal.throwIfAborted();
    this.#shared.opening();
    // Loaded when it is needed: the modules behind it cost every command some milliseconds.
    const { EgressProxy } = await import('./proxy.ts');
    const proxy = new EgressProxy({
      clock: this.#services.clock,
      traffic: this.#traffic,
      judge: (target) => this.#judge(rules, target),
    });
    const folder = new SocketFolder(this.#services.runDirectory);
    const door: EgressDoor = {
      directory: folder.directory,
      close: () => {
        this.#doors.delete(door);
        proxy.close();
        folder.remove();
      },
    };
    this.#doors.add(door);
    try {
      await proxy.listen(folder.socketPath);
      folder.protect();
      this.#cut.signal.throwIfAborted();
    } catch (error) {
      door.close();
      throw error;
    }
    return door;
  }

  /** One request under the same decision as the proxy. Rejects with the RpcError the plugin gets. */
  async fetch(rules: readonly EgressRule[], request: FetchRequest, cancelled: AbortSignal): Promise<FetchResponse> {
    const signal = AbortSignal.any([cancelled, this.#cut.signal]);
    const { clock, certificates } = this.#services;
    const { fetchOnce } = await import('./fetch.ts');
    return await this.#fetches.run(() => {
      return fetchOnce(request, {
        clock,
        traffic: this.#traffic,
        signal,
        judge: (target) => this.#judge(rules, target),
        ...(certificates === undefined ? {} : { certificates }),
      });
    });
  }

  /** Cuts every connection at once, those of `fetch` as well, and opens no other one. */
  cut(): void {
    const message = 'A permission of this plugin was taken away; it reaches no host until it is started again.';
    this.#cut.abort(RpcError.of('PermissionDenied', message, { reason: 'revoked' }));
    for (const door of this.#doors) door.close();
  }

  /** An allowed connection is recorded before it is made, or it is not made. */
  async #judge(rules: readonly EgressRule[], target: Target): Promise<Verdict> {
    const verdict = await this.#resolver.judge(rules, target);
    return verdict.allowed ? (this.#traffic.admit(target) ?? verdict) : verdict;
  }

  /** To be called once, when the launch has ended: tells what it did. */
  ended(): void {
    this.#shared.ended();
    const summary = this.#traffic.summary();
    if (summary !== undefined) this.#services.onTraffic(this.#plugin, summary);
  }
}
