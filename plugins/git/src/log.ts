export interface LogInput {
  readonly repository?: string;
  readonly limit?: number;
  readonly from?: string;
  readonly path?: string;
}

export interface Commit {
  readonly commit: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly email: string;
  /** RFC 3339, with the author's offset. */
  readonly date: string;
  readonly subject: string;
  readonly body: string;
}

const fields = ['%H', '%P', '%an', '%ae', '%aI', '%s', '%b'] as const;

/** Arguments for the newest commits that can be reached from `from`, a hash. */
export function logArguments(from: string, limit: number, path: string | undefined): string[] {
  const format = `--format=tformat:${fields.join('%x00')}`;
  const options = ['-z', '--no-show-signature', '--no-color', '--no-mailmap', `--max-count=${limit}`, format];
  return ['log', ...options, from, '--', ...(path === undefined ? [] : [path])];
}

/** Reads what git prints for `logArguments`. No field can hold the NUL that ends it. */
export function parseLog(text: string): Commit[] {
  const values = text.split('\0');
  const commits: Commit[] = [];
  for (let start = 0; start + fields.length <= values.length - 1; start += fields.length) {
    const [commit = '', parents = '', author = '', email = '', date = '', subject = '', body = ''] =
      values.slice(start);
    const listed = parents.split(' ').filter((parent) => parent !== '');
    commits.push({ commit, parents: listed, author, email, date, subject, body: body.trimEnd() });
  }
  return commits;
}
