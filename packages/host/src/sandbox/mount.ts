/** One file or folder of the host, shown to the plugin under `target`. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
}

/** What a grant shows: known by the object it was judged as, so that nothing else can take its place meanwhile. */
export interface GrantMount extends Mount {
  /** The grant that shows it, as `--grant` spells it. */
  readonly grant: string;
  /** Programs below it can be started. */
  readonly executable: boolean;
  /** Numbers of `source` when it was judged. */
  readonly device: string;
  readonly inode: string;
}

/** A file or folder that is opened by its path, compared, and handed on as a descriptor. */
export interface ShownPath {
  readonly fd: number;
  readonly grant: string;
  readonly path: string;
  readonly target: string;
  readonly device: string;
  readonly inode: string;
}
