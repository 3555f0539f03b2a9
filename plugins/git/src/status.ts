/** How a file differs: `staged` against the last commit, `unstaged` against what is staged. */
export type Change =
  | 'unchanged'
  | 'modified'
  | 'type_changed'
  | 'added'
  | 'deleted'
  | 'renamed'
  | 'copied'
  | 'conflicted'
  | 'untracked';

export interface FileStatus {
  readonly path: string;
  readonly staged: Change;
  readonly unstaged: Change;
  /** Where a renamed or copied file came from. */
  readonly original_path?: string;
}

export interface Status {
  /** Null when no branch is checked out. */
  readonly branch: string | null;
  /** Null before the first commit. */
  readonly commit: string | null;
  readonly upstream: string | null;
  readonly ahead: number;
  readonly behind: number;
  readonly clean: boolean;
  readonly files: readonly FileStatus[];
}

const changes: Readonly<Record<string, Change>> = {
  '.': 'unchanged',
  M: 'modified',
  T: 'type_changed',
  A: 'added',
  D: 'deleted',
  R: 'renamed',
  C: 'copied',
  U: 'conflicted',
};
/** Fields before the path, by the kind of an entry. */
const fieldsBeforePath: Readonly<Record<string, number>> = { '1': 8, '2': 9, u: 10 };

export const statusArguments = ['status', '--porcelain=v2', '--branch', '-z', '--untracked-files=all'] as const;

/** Reads what `git status --porcelain=v2 --branch -z` prints. */
export function parseStatus(text: string): Status {
  const headers = new Map<string, string>();
  const files: FileStatus[] = [];
  const records = text.split('\0');
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index] ?? '';
    const [kind = '', second = ''] = record.split(' ', 2);
    if (kind === '#') headers.set(second, record.slice(`# ${second} `.length));
    if (kind === '?') files.push({ path: record.slice(2), staged: 'unchanged', unstaged: 'untracked' });
    const skipped = fieldsBeforePath[kind];
    if (skipped === undefined) continue;
    const path = record.split(' ').slice(skipped).join(' ');
    const isConflict = kind === 'u';
    const [staged, unstaged] = [...second].map((code): Change => {
      return isConflict ? 'conflicted' : (changes[code] ?? 'modified');
    });
    const file = { path, staged: staged ?? 'unchanged', unstaged: unstaged ?? 'unchanged' };
    // The place a renamed file came from is a record of its own.
    if (kind === '2') index += 1;
    files.push(kind === '2' ? { ...file, original_path: records[index] ?? '' } : file);
  }
  const [ahead = 0, behind = 0] = (headers.get('branch.ab') ?? '').split(' ').map((count) => Math.abs(Number(count)));
  const branch = headers.get('branch.head') ?? '(detached)';
  const commit = headers.get('branch.oid') ?? '(initial)';
  return {
    branch: branch === '(detached)' ? null : branch,
    commit: commit === '(initial)' ? null : commit,
    upstream: headers.get('branch.upstream') ?? null,
    ahead,
    behind,
    clean: files.length === 0,
    files,
  };
}
