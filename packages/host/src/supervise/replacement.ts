import { type MmmError, pluginMethods, RpcError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { exitError } from '../display/exit-error.ts';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { SupervisionPolicy } from './policy.ts';
import type { Spare } from './spares.ts';
import type { PluginEvent, PluginState } from './state.ts';
import type { TakeSpare } from './supervisor.ts';

/** One version of a plugin: how a session of it is started, and how it is kept running. */
export interface Blueprint {
  readonly policy: SupervisionPolicy;
  /**
   * Starts one session. Must settle, within its own deadline, and soon after the signal aborts. Its MmmError becomes
   * the error of everybody who waits. `takeSpare` gives a session that was kept ready, if there is one still fit.
   */
  launch(signal: AbortSignal, takeSpare: TakeSpare): Promise<Session>;
  /** Starts a process to keep ready, when the policy wants one. Without it there is none. */
  prepare?(signal: AbortSignal): Promise<Spare>;
  /** Told that starts are of this one from now on. */
  onAdopted?(): void;
}

export interface ReplaceOptions {
  /** Written into the log of what is ended for it. */
  readonly reason: string;
  /** At most one process of it may run: the old one is stopped first, and calls wait meanwhile. */
  readonly exclusive: boolean;
  /** Starts a plugin that does not run, whatever it waits for. Otherwise its next start is of the new blueprint. */
  readonly start: boolean;
}

/** `switched`: calls go to the new session. `started`: none ran before. `stopped`: none runs. */
export type ReplaceOutcome = 'switched' | 'started' | 'stopped';

/** What a replacement needs of the supervisor it is part of. */
export interface ReplacedPlugin {
  readonly plugin: string;
  readonly clock: Clock;
  state(): PluginState;
  send(event: PluginEvent): void;
  blueprint(): Blueprint;
  /** From here on starts are of this one. What was kept ready of another is ended. */
  adopt(blueprint: Blueprint): void;
  /** Puts a session in the place of the one in use. */
  install(session: Session, reason: string): void;
  /** Resolves with the next session, started without waiting for a backoff or a quarantine. */
  startAtOnce(): Promise<Session>;
  /** Resolves at the next change of state. */
  changed(): Promise<void>;
}

interface UnderWay {
  readonly abort: AbortController;
  over: Promise<unknown>;
  /** An exclusive plugin is being stopped for it, and nothing of the next one was launched yet. */
  calledOffEarly?: () => void;
}

/**
 * Puts another session, often of another version, in the place of the one in use: at most one candidate, launched and
 * found well before anything changes. What fails leaves everything as it was.
 */
export class Replacement {
  readonly #plugin: ReplacedPlugin;
  #underWay: UnderWay | undefined;

  constructor(plugin: ReplacedPlugin) {
    this.#plugin = plugin;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** The plugin is being stopped: its next start is of the new blueprint. Resolves when no candidate is left. */
  async callOff(): Promise<void> {
    const underWay = this.#underWay;
    if (underWay === undefined) return;
    underWay.abort.abort(new Error('the plugin is being stopped'));
    underWay.calledOffEarly?.();
    await underWay.over;
  }

  /** To be called again only after it settled. Rejects with why the next one is not in place; the old one then is. */
  async replace(next: Blueprint, options: ReplaceOptions): Promise<ReplaceOutcome> {
    const underWay: UnderWay = { abort: new AbortController(), over: Promise.resolve() };
    this.#underWay = underWay;
    const replaced = this.#replace(next, options, underWay);
    underWay.over = replaced.catch(() => undefined);
    try {
      return await replaced;
    } finally {
      this.#underWay = undefined;
    }
  }

  async #replace(next: Blueprint, options: ReplaceOptions, underWay: UnderWay): Promise<ReplaceOutcome> {
    const { signal } = underWay.abort;
    while (isBetween(this.#plugin.state()) && !signal.aborted) await this.#plugin.changed();
    if (signal.aborted || !isLive(this.#plugin.state())) return await this.#notRunning(next, options, signal);
    return options.exclusive
      ? await this.#exchange(next, options, underWay)
      : await this.#beside(next, options, signal);
  }

  async #notRunning(next: Blueprint, { start }: ReplaceOptions, signal: AbortSignal): Promise<ReplaceOutcome> {
    this.#plugin.adopt(next);
    if (!start || signal.aborted) return 'stopped';
    await this.#plugin.startAtOnce();
    return 'started';
  }

  async #beside(next: Blueprint, { reason }: ReplaceOptions, signal: AbortSignal): Promise<ReplaceOutcome> {
    let session: Session | undefined;
    try {
      session = await next.launch(signal, noSpare);
      await this.#findWell(session, signal, hostLimits.reloadSettleMs);
      signal.throwIfAborted();
    } catch (error) {
      const ended = session?.stop('it is not used');
      if (!signal.aborted) throw error;
      // Whoever stops the plugin waits for this end as well.
      await ended;
      this.#plugin.adopt(next);
      return 'stopped';
    }
    this.#plugin.adopt(next);
    this.#plugin.install(session, reason);
    return 'switched';
  }

  /** One launch of the supervisor's own that tries the next one first: whoever calls waits for it as for any start. */
  #exchange(next: Blueprint, { reason }: ReplaceOptions, underWay: UnderWay): Promise<ReplaceOutcome> {
    const plugin = this.#plugin;
    const old = plugin.blueprint();
    return new Promise((resolve, reject) => {
      const calledOff = (): void => {
        plugin.adopt(next);
        resolve('stopped');
      };
      const launch = async (signal: AbortSignal): Promise<Session> => {
        delete underWay.calledOffEarly;
        let session: Session | undefined;
        try {
          session = await next.launch(signal, noSpare);
          await this.#findWell(session, signal, 0);
          plugin.adopt(next);
          resolve('switched');
          return session;
        } catch (error) {
          await session?.stop('it is not used');
          if (signal.aborted) {
            calledOff();
            throw error;
          }
          plugin.adopt(old);
          reject(error);
          return await old.launch(signal, noSpare);
        }
      };
      underWay.calledOffEarly = calledOff;
      plugin.adopt({ ...next, launch });
      const state = plugin.state();
      const inFlight = 'session' in state ? (state.session?.connection.inFlight ?? 0) : 0;
      plugin.send({ kind: 'stop', reason, inFlight, drainMs: hostLimits.reloadDrainMs });
      plugin.send({ kind: 'start' });
    });
  }

  /** It answers, if only with an error, and lives on for a moment: many a program ends right after its start. */
  async #findWell(session: Session, signal: AbortSignal, settleMs: number): Promise<void> {
    const { plugin, clock } = this.#plugin;
    const over = new AbortController();
    const ended = session.exited.then((reason): MmmError => exitError(plugin, reason));
    try {
      const timeoutMs = hostLimits.degradedAfterMs;
      await session.connection.call(pluginMethods.ping, {}, { timeoutMs, signal }).catch(async (error: unknown) => {
        if (error instanceof RpcError) return;
        if (signal.aborted) throw error;
        throw session.connection.isClosed ? await ended : new Error(`it did not answer a ping: ${String(error)}`);
      });
      if (settleMs === 0) return;
      const settled = clock.sleep(settleMs, AbortSignal.any([signal, over.signal])).then(() => undefined);
      const error = await Promise.race([ended, settled]);
      if (error !== undefined) throw error;
    } finally {
      over.abort();
    }
  }
}

const noSpare: TakeSpare = () => Promise.resolve(undefined);

function isLive({ kind }: PluginState): boolean {
  return kind === 'running' || kind === 'degraded';
}

/** What it becomes is known soon. */
function isBetween({ kind }: PluginState): boolean {
  return kind === 'starting' || kind === 'probing' || kind === 'draining' || kind === 'stopping';
}
