/** Where the front matter of a Markdown file lies. Text is bytes as Latin-1 here, so that each keeps its place. */
export interface FrontMatter {
  /** Offset of its first line, after the opening fence. */
  readonly start: number;
  /** Offset of the closing fence. */
  readonly end: number;
  /** Offset of what follows the closing fence. */
  readonly body: number;
  /** `\n` or `\r\n`, as its first line ends. */
  readonly lineEnd: string;
}

/** What is wrong with a file, as the end of a sentence about it. */
export interface FrontMatterProblem {
  readonly problem: string;
}

/** Longest line with a status that is read: the pattern takes a time that grows with its square. */
const lineChars = 1000;
const byteOrderMark = '\u00ef\u00bb\u00bf';
const openingFence = /^---[ \t]*(\r?\n)/;
const closingFence = /^(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/m;

/** Finds the front matter: from a first line `---` to the next line that is `---` or `...`. */
export function findFrontMatter(text: string): FrontMatter | undefined {
  const skipped = text.startsWith(byteOrderMark) ? byteOrderMark.length : 0;
  const opening = openingFence.exec(text.slice(skipped));
  if (opening === null) return undefined;
  const start = skipped + opening[0].length;
  const closing = closingFence.exec(text.slice(start));
  if (closing === null) return undefined;
  const end = start + closing.index;
  return { start, end, body: end + closing[0].length, lineEnd: opening[1] ?? '\n' };
}

/**
 * A key at the left edge, which no text in a value can be. Then a value in quotes, or one that is written plainly and
 * begins with nothing that means more than itself; then a comment.
 */
const valuePattern = [
  '"(?:[^"\\\\\\r\\n]|\\\\.)*"',
  "'(?:[^'\\r\\n]|'')*'",
  '[^\\s"\'|>[\\]{}&*!%@`#,?:-](?:[^#\\r\\n]|(?<=\\S)#)*?',
].join('|');
const comment = '[ \\t]*(?:[ \\t]#[^\\r\\n]*)?';
const statusLine = new RegExp(`^((?:status|"status"|'status')[ \\t]*:)([ \\t]*)(${valuePattern})?(${comment})$`);
const statusKey = /^(?:status|"status"|'status')[ \t]*:/;
const plain = /^[A-Za-z](?:[A-Za-z0-9_./-]| (?! |$))*$/;
/** Words that some YAML reader takes for something else than text. */
const notText = /^(?:true|false|yes|no|on|off|y|n|null|nan)$/i;

/**
 * The text with another status, every other byte as it was: the value takes the place of the one before in its own
 * style of quotes; where there was none, a line is added at the end of the front matter.
 */
export function withStatus(text: string, status: string): string | FrontMatterProblem {
  const matter = findFrontMatter(text);
  if (matter === undefined) return { problem: 'has no front matter: it must begin with a line "---"' };
  const { start, end, lineEnd } = matter;
  const lines = text.slice(start, end).split('\n');
  const at = lines.flatMap((line, index) => (statusKey.test(line) ? [index] : []));
  const [index] = at;
  if (at.length > 1) return { problem: 'has two keys "status"' };
  if (index === undefined) {
    return `${text.slice(0, end)}status: ${quoted(status, '')}${lineEnd}${text.slice(end)}`;
  }
  const line = lines[index] ?? '';
  const [bare, ending] = line.endsWith('\r') ? [line.slice(0, -1), '\r'] : [line, ''];
  const parts = bare.length > lineChars ? null : statusLine.exec(bare);
  const isContinued = /^[ \t]+[^\s#]/.test(lines[index + 1] ?? '');
  if (parts === null || isContinued) return { problem: 'has a status that is more than one plain or quoted text' };
  const [, key = '', space = '', value = '', rest = ''] = parts;
  lines[index] = `${key}${space === '' ? ' ' : space}${quoted(status, value)}${rest}${ending}`;
  return text.slice(0, start) + lines.join('\n') + text.slice(end);
}

/** In the style of the value before. What comes back is bytes as Latin-1, too. */
function quoted(status: string, before: string): string {
  return Buffer.from(styled(status, before), 'utf8').toString('latin1');
}

function styled(status: string, before: string): string {
  const isPrintable = !/\p{C}|\p{Zl}|\p{Zp}/u.test(status);
  if (before.startsWith("'") && isPrintable) return `'${status.replaceAll("'", "''")}'`;
  if (before.startsWith('"') || !plain.test(status) || notText.test(status)) return JSON.stringify(status);
  return status;
}
