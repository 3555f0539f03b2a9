export interface DiffInput {
  readonly repository?: string;
  readonly from?: string;
  readonly to?: string;
  readonly staged?: boolean;
  readonly paths?: readonly string[];
  readonly max_bytes?: number;
}

export interface FileDiff {
  readonly path: string;
  /** Lines added and removed; null for a binary file. */
  readonly added: number | null;
  readonly removed: number | null;
}

/** No driver and no converter of the repository runs, and its own prefixes do not count. */
const plain = [
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--no-renames',
  '--src-prefix=a/',
  '--dst-prefix=b/',
] as const;

/** Arguments for the changes between two hashes, or up to what is staged or lies in the folder. */
export function diffArguments(
  between: { readonly from?: string; readonly to?: string; readonly staged?: boolean },
  paths: readonly string[],
  form: 'patch' | 'numbers',
): string[] {
  const commits = [between.from, between.to].filter((commit) => commit !== undefined);
  const staged = between.staged === true ? ['--cached'] : [];
  return ['diff', ...plain, ...(form === 'numbers' ? ['--numstat', '-z'] : []), ...staged, ...commits, '--', ...paths];
}

/** Reads what `git diff --numstat -z --no-renames` prints. */
export function parseNumbers(text: string): FileDiff[] {
  const count = (word: string): number | null => (word === '-' ? null : Number(word));
  return text
    .split('\0')
    .filter((record) => record !== '')
    .map((record) => {
      const [added = '0', removed = '0', ...path] = record.split('\t');
      return { path: path.join('\t'), added: count(added), removed: count(removed) };
    });
}

/** A patch that was cut ends with a whole line. */
export function wholeLines(patch: string, cut: boolean): string {
  return cut ? patch.slice(0, patch.lastIndexOf('\n') + 1) : patch;
}
