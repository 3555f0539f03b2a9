/** What `says-bytes` writes: a text in which `$id` is the id, a text so many times, or so many bytes of no text. */
export type Piece = string | readonly [text: string, times: number] | number;

/** One way to be hostile, and what must come of it at every sandbox level. */
export interface HostileRow {
  /** The end of a sentence that begins with "A plugin that". Unique. */
  readonly that: string;
  /** Folder below test/fixtures/plugins. */
  readonly fixture: string;
  /** Arguments of a native fixture, by spaces. */
  readonly words?: string;
  /** What a fixture of bytes says, by method; see its own words. */
  readonly says?: Readonly<Record<string, readonly Piece[]>>;
  /** Lines for the manifest. */
  readonly manifest?: string;
  /** How its start ends, when it is not one. */
  readonly start?: string | RegExp;
  /**
   * How its calls end: `well` for the right answer, otherwise the code of the error, with PLUGIN_EXITED followed by
   * the cause. In order, or all at once with `together`. Default: one call, well.
   */
  readonly calls?: readonly (string | RegExp)[];
  readonly together?: true;
  /** Deadline of each call. Default: long, so that it decides nothing. */
  readonly timeoutMs?: number;
  /** A line that must be in its log. */
  readonly log?: RegExp;
  /** The only level at which this can be asked of the host, and why. */
  readonly only?: readonly ['process' | 'none', why: string];
}
