/** One way to have another process answer calls. */
export interface Contender {
  readonly name: string;
  /** Starts the other process and waits until it answers. */
  open(folder: string): Promise<Echo>;
}

/** Something that answers each text with the same text. */
export interface Echo {
  /** Resolves with the length of the answer, so that nobody can win by not answering. */
  call(text: string): Promise<number>;
  close(): Promise<void> | void;
}
