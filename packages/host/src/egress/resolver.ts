import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { coveringRules, decide, notGranted, unresolved, type Verdict } from './decide.ts';
import type { EgressRule, Target } from './rule.ts';
import { Turns } from './turns.ts';

/** All addresses of a name, best first. Rejects when it has none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The resolver of the operating system: /etc/hosts and whatever else it is set up to ask. */
export const lookupBySystem: Lookup = async (host) => {
  const found = await systemLookup(host, { all: true, verbatim: true });
  return found.map(({ address }) => address);
};

/**
 * Names to addresses for one launch. Each connection asks once, and what it then dials is what was judged: a name that
 * changes its address in between gains nothing. Lookups are bounded, since the system's resolver keeps a thread of the
 * host busy for each.
 */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #everyone: Turns;
  readonly #own = new Turns(hostLimits.lookupsPerLaunch);

  /** `everyone` is shared by all launches of the host. */
  constructor(services: { readonly lookup: Lookup; readonly clock: Clock; readonly everyone: Turns }) {
    this.#lookup = services.lookup;
    this.#clock = services.clock;
    this.#everyone = services.everyone;
  }

  /** Judges a target: by its name, then by the addresses behind it. Never rejects. */
  async judge(rules: readonly EgressRule[], target: Target): Promise<Verdict> {
    if (coveringRules(rules, target).length === 0) return notGranted(rules, target);
    if (isIP(target.host) !== 0) return decide(rules, target, [target.host]);
    try {
      return decide(rules, target, await this.#addresses(target.host));
    } catch (error) {
      return unresolved(target, reasonOf(error));
    }
  }

  async #addresses(host: string): Promise<readonly string[]> {
    // A lookup that is given up keeps its turn until the system has ended it: only then is its thread free.
    const found = this.#own.run(() => this.#everyone.run(() => this.#lookup(host)));
    const done = new AbortController();
    const late = this.#clock.sleep(hostLimits.lookupTimeoutMs, done.signal).then(() => {
      throw new Error('the resolver did not answer in time');
    });
    found.catch(() => undefined);
    late.catch(() => undefined);
    return await Promise.race([found, late]).finally(() => done.abort());
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === 'ENOTFOUND') return 'no such name';
  if (code === 'EAI_AGAIN') return 'the resolver gave no answer';
  return typeof code === 'string' ? code : String(message);
}
