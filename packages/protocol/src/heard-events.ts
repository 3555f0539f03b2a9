import type { Manifest } from './manifest.ts';

/** What of the events of a home reaches a plugin, as its manifest says. */
export interface HeardEvents {
  /** Globs of the types that it is told of, afterwards. */
  readonly told: readonly string[];
  /** Its hooks, asked before something happens: each may stop it. */
  readonly asked: readonly { readonly hook: string; readonly events: readonly string[] }[];
}

/** Nobody is asked for leave to hear events, so whoever installs a plugin is shown them. */
export function heardEvents({ subscriptions, capabilities }: Manifest): HeardEvents {
  return {
    told: subscriptions?.events ?? [],
    asked: capabilities.flatMap(({ kind, name, events = [] }) => {
      return kind === 'hook' && events.length > 0 ? [{ hook: name, events }] : [];
    }),
  };
}
