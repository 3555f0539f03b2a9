/** Numbers of triggers and mappings: a part of `hostLimits`. */
export const triggerLimits = {
  /** For the answer to `start_trigger`: a file watch of a large folder takes seconds to begin. */
  armTimeoutMs: 15_000,
  /** Events in one answer to a poll: stored by one transaction, in about 10 ms. */
  pollEvents: 500,
  /** How long a plugin may hold a poll. Each end of one costs a message either way. */
  pollWaitMs: 20_000,
  /** For the answer after that: as long as a call may be silent. */
  pollAnswerMs: 30_000,
  /** First and longest pause before a plugin is asked again that answers polls at once with nothing new. */
  pollPauseMinMs: 50,
  pollPauseMaxMs: 1_000,
  /** Polls in a row that fail by the plugin's own doing before it is ended as a crash. */
  pollFaultsMax: 5,
  /** Events one plugin's triggers may tell in a second, and at once. More stay with it until it is asked again. */
  triggerEventsPerSecond: 1_000,
  triggerBurst: 2_000,
  /** First and longest pause before a plugin with triggers that does not start is tried again. */
  triggerRetryMinMs: 500,
  triggerRetryMaxMs: 60_000,
  /** How often a host looks whether the one that arms the triggers of its home is gone. */
  triggerLockMs: 2_000,
  /** Actions of all mappings that run at one time: what they start shares the machine with everything else. */
  mappingActions: 32,
  /** Characters that the placeholders of one action may stand for: half of what one message holds. */
  templateChars: 4 * 1024 * 1024,
  /** Of the error that `mmm mapping list` shows with a mapping: its first line. */
  mappingErrorChars: 400,
} as const;
