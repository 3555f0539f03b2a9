/** One event of the journal. Plugins wrote type and data of theirs: show them with `safeText`. */
export interface EventRecord {
  /** The same for every delivery of it. */
  readonly id: string;
  /** Its place in the order of all events. */
  readonly seq: number;
  readonly type: string;
  readonly data: unknown;
  /** When it was journalled: RFC 3339, UTC, milliseconds. */
  readonly timestamp: string;
  /** The id of a plugin; `app:NAME` for a program that uses the host; `host:plugins` for the host itself. */
  readonly source: string;
  /** How many events led to it, one through the other. */
  readonly depth: number;
}

export interface EventFilter {
  /** Globs of types, `*` for any characters. Default: all. */
  readonly types?: readonly string[];
  /** Not before this moment. */
  readonly since?: Date;
  /** The last so many. Default: 100. */
  readonly limit?: number;
}

export interface FollowEventsOptions extends EventFilter {
  readonly signal?: AbortSignal;
}

export interface EmitOptions {
  /** Who says so, as `app:NAME`. Default: the kind of the host's caller. */
  readonly source?: string;
  /** Called off, hooks are asked no further and `emit` rejects with its reason. The event stays in the journal. */
  readonly signal?: AbortSignal;
}

/** What a hook wanted done, and what came of it. */
export interface ActionReport {
  /** The plugin whose hook it was. */
  readonly hook: string;
  readonly plugin: string;
  readonly capability: string;
  readonly ok: boolean;
  /** What the capability answered; null when it failed. */
  readonly output: unknown;
  /** Why it failed or was refused, or null. */
  readonly error: string | null;
}

export interface EmitReport {
  /** Of the event, which is on the disk. */
  readonly id: string;
  /** In the order in which they were made; none after a veto. */
  readonly actions: readonly ActionReport[];
  /** Present when a hook wants what the event announces not to happen. The program that emitted it decides. */
  readonly veto?: { readonly plugin: string; readonly reason: string };
  /** Present when hooks did not answer; it is audited what that counted as. */
  readonly failedHooks?: readonly { readonly plugin: string; readonly error: string }[];
}

/** An event that a plugin failed to handle as often as it is tried. */
export interface DeadLetter {
  readonly id: number;
  /** Who failed: mostly the id of a plugin. */
  readonly consumer: string;
  readonly eventId: string;
  readonly type: string;
  readonly source: string;
  readonly data: unknown;
  readonly timestamp: string;
  readonly tries: number;
  /** Why it failed the last time. */
  readonly error: string;
  readonly failedAt: string;
}

/** How one consumer gets on. */
export interface ConsumerStatus {
  readonly consumer: string;
  /** Events of the journal that it has not come to, for it or not. */
  readonly behind: number;
  /** Events that were dropped by age or size before it came to them. */
  readonly expired: number;
  readonly deadLetters: number;
}

export interface EventStatus {
  /** Events in the journal, and their size as text. */
  readonly events: number;
  readonly bytes: number;
  /** This host is the one of its home that delivers. */
  readonly isDelivering: boolean;
  readonly consumers: readonly ConsumerStatus[];
}

/** The journal of events, and their delivery to plugins. */
export interface Events {
  /** The last events that are wanted, oldest of them first, at most `hostLimits.eventsRead`. */
  list(filter?: EventFilter): Promise<readonly EventRecord[]>;
  /** As `list`, and then each further one, whichever process journals it, until the signal aborts. */
  follow(options?: FollowEventsOptions): AsyncIterable<EventRecord>;
  /**
   * Begins to deliver to subscribed plugins what is not delivered yet, as each `emit` does, and goes on until the host
   * is closed. Resolves when everything that is journalled by now was handled or put by, or waits for a plugin that is
   * not there. Of the hosts of a home one delivers at a time.
   */
  deliver(): Promise<void>;
  status(): Promise<EventStatus>;
  /** Oldest first. */
  deadLetters(consumer?: string): Promise<readonly DeadLetter[]>;
  /** Delivers one again, at once. Resolves with null, and it is gone, or with why it failed again. */
  retry(id: number): Promise<string | null>;
  /** Forgets one. False when there is none. */
  drop(id: number): Promise<boolean>;
}

export interface HostEvents {
  readonly events: Events;
  /**
   * Says that something happens: journals it, asks the hooks of plugins that handle this type, one after the other in
   * the order of their names, and makes what they want done unless one of them vetoes. Subscribed plugins are told
   * later. A hook that fails counts as having nothing to say, or, of a plugin that is `important`, as a veto. Throws
   * CONFIG_INVALID for a type that is none or is the host's own, MESSAGE_TOO_LARGE, STATE_UNREADABLE.
   */
  emit(type: string, data?: unknown, options?: EmitOptions): Promise<EmitReport>;
}
