/** Moves the cursor, reorders, hides, or has no agreed look: nothing of it may reach a person's screen as it is. */
const unsafeCharacter =
  /^(?:[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs})$/u;
const mark = /^\p{M}$/u;
/** Marks on one letter; Vietnamese and Hebrew need three. More of them grow over the lines above and below. */
const marksMax = 4;
const plain = /^[ -~]*$/;

/**
 * Makes text of a plugin fit for a terminal, a log or a question: one line, at most `max` characters and then `…`.
 * Controls, escape sequences, line ends, invisible characters and those that reorder text appear as `\u{…}`.
 */
export function safeText(text: string, max = 200): string {
  if (text.length <= max && plain.test(text)) return text;
  // Composing can shorten: a letter with the marks we allow is at most eight units.
  const head = Number.isFinite(max) ? text.slice(0, max * 8) : text;
  const shown: string[] = [];
  let length = 0;
  let marks = 0;
  for (const character of head.normalize('NFC')) {
    marks = mark.test(character) ? marks + 1 : 0;
    const escaped = unsafeCharacter.test(character) || marks > marksMax;
    const piece = escaped ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}` : character;
    length += escaped ? piece.length : 1;
    if (length > max) return `${shown.join('')}…`;
    shown.push(piece);
  }
  return head.length < text.length ? `${shown.join('')}…` : shown.join('');
}

/**
 * The same for text that may keep its lines, such as the tail of stderr: at most the last `linesMax` lines, each by
 * `safeText`. The end is kept because that is where programs say what went wrong.
 */
export function safeLines(text: string, linesMax = 40, max = 200): string {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  return lines
    .slice(-linesMax)
    .map((line) => safeText(line, max))
    .join('\n');
}

/**
 * What JSON leaves as it is, but a terminal acts on or shows wrongly: DEL, C1 controls, marks of direction, line
 * ends.
 */
const unsafeInJson = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** The same JSON, safe to print: whatever could move a cursor or turn a line around stands in it as an escape. */
export function printableJson(json: string): string {
  return json.replace(unsafeInJson, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
