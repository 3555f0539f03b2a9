/** The numbers of events, hooks and their delivery; part of `hostLimits`. */
export const eventLimits = {
  /** Largest data of one event. An event says what happened; a document or a picture lies elsewhere. */
  eventBytes: 256 * 1024,
  /** Events that lead to each other, one through the other. Real chains have two or three links; a loop has no end. */
  eventDepth: 8,
  /** Events one plugin may emit in a second, and at once. The journal takes twenty times as many from all together. */
  eventsPerSecond: 1_000,
  /** Subscriptions one session of a plugin may have beside those of its manifest. */
  eventSubscriptions: 100,
  /** For the answer to `handle_event`, a start included: as long as a call may be silent. */
  eventTimeoutMs: 30_000,
  /** How often an event is tried at one consumer before it is put by. */
  eventTries: 5,
  /** First pause before it is tried again; doubles each time, 3.75 s in all: what is short passes. */
  eventBackoffMs: 250,
  /** First pause of a consumer that is not there (disabled, quarantined, without consent): no try, and no fault. */
  eventPauseMs: 1_000,
  /** Longest such pause, when nothing tells that it is there again. */
  eventPauseMaxMs: 60_000,
  /** Places of the journal that are looked at in one go, without what is in them: about a millisecond. */
  eventScan: 1_000,
  /** How often the journal is looked at for what other processes appended: a person does not notice it. */
  eventPollMs: 200,
  /** Where consumers are is stored at most this late; so much they see again after a kill -9 of the host. */
  eventCursorMs: 50,
  /** Of the error an event is put by with: its first lines. */
  deadLetterErrorChars: 2_000,
  /** Events put by for one consumer; the oldest go. What fails a thousand times is one fault. */
  deadLetters: 1_000,
  /** For the answer of one hook that runs, as long as a call may be silent: whoever emitted the event waits. */
  hookTimeoutMs: 30_000,
  /** For all hooks of one event together, starts included. */
  hooksTimeoutMs: 60_000,
  /** Calls that one answer of a plugin to an event may ask for. */
  eventActions: 64,
  /** Days that events are kept when every consumer has handled them: a week of looking back. */
  eventDays: 7,
  /** Days that they are kept for a consumer that has not: a holiday, and not for ever what nobody runs any more. */
  eventUnhandledDays: 30,
  /** Size of the journal: a million events of 200 bytes. Beyond it the oldest go, handled or not. */
  eventJournalMb: 256,
  /** Events dropped in one go: about 5 ms of the event loop. */
  eventsDropped: 2_000,
  /** Appended events after which the journal is looked at for what may be dropped. */
  eventsPerSweep: 5_000,
  /** And in any case after this. */
  eventSweepMs: 10 * 60_000,
  /** Events that one read of the journal returns at most. */
  eventsRead: 10_000,
} as const;
