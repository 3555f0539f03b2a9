/** Every numeric bound of the wire. A manifest or the configuration may change the ones its schema names. */
export const wireLimits = {
  /** Largest message in bytes. Holds any sane tool result; MCP hosts take 10 MB, Grafana 16 MiB. */
  messageBytes: 8 * 1024 * 1024,
  /** The most a manifest may ask for with `[limits] message_mb`. */
  messageBytesMax: 64 * 1024 * 1024,
  /** Largest LSP header block in bytes. A real one has 30; the rest is room for Content-Type. */
  headerBytes: 4 * 1024,
  /** Deepest nesting of arrays and objects. Deeper JSON overflows the stack of recursive readers. */
  depth: 128,
  /** Most different keys in one message; 16 keys of alike objects, 4 containers or 16 commas count as one. */
  structure: 160_000,
  /** Longest log line in bytes; a longer one is cut and marked, never fatal. */
  logLineBytes: 64 * 1024,
  /** Log lines a second and plugin; the rest is counted and reported as one line. */
  logLinesPerSecond: 200,
  /** Where the id of an oversized response is sought: the first bytes of the message. */
  idSearchBytes: 4 * 1024,
  /** Messages that may wait to be handled before the host stops reading stdout. */
  inboundMessages: 256,
  /** Bytes that may wait to be handled (or one message, if that is larger). */
  inboundBytes: 8 * 1024 * 1024,
  /** Messages that may wait for a plugin that does not read stdin, before calls fail as Busy. */
  outboundMessages: 256,
  /** Bytes that may wait for a plugin that does not read stdin (or one message, if that is larger). */
  outboundBytes: 8 * 1024 * 1024,
  /** How long one write may make no progress before the session ends as unresponsive, in milliseconds. */
  writeDeadlineMs: 30_000,
  /** How long a plugin may take to acknowledge a cancellation before it counts as unresponsive. */
  cancelGraceMs: 5_000,
  /** Requests a plugin may have open at the host at one time. */
  hostRequestsInFlight: 64,
  /** Chunks of a stream that may be unacknowledged. */
  chunksUnacknowledged: 64,
  /** Longest poll cursor in bytes. */
  cursorBytes: 1024,
  /** Most events in one poll. */
  pollEvents: 1000,
  /** Longest wait of one poll in milliseconds. */
  pollWaitMs: 20_000,
  /** Longest key of a stored value, in UTF-16 units. */
  stateKeyChars: 512,
  /** Most operations in one update_state. */
  stateOperations: 64,
  /** Longest name of a metric of a plugin's own, or of a label. The longest in use have 80. */
  metricWordChars: 100,
  /** Labels of one series; with a dozen values each three of them are more series than a plugin may have. */
  metricLabels: 8,
  /** Longest value of a label: a name, not a text. */
  metricLabelChars: 128,
  /** Largest value and, below zero, smallest: whole numbers up to here are exact, and no sum of them overflows. */
  metricValue: 1e15,
} as const;
