/** One file or folder of the host, shown to the plugin under `target`. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
}
