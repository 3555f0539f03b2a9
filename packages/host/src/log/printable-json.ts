/**
 * What JSON leaves as it is, but a terminal acts on or shows wrongly: DEL, C1 controls, marks of direction, line
 * ends.
 */
const unsafe = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** The same JSON, safe to print: whatever could move a cursor or turn a line around stands in it as an escape. */
export function printable(json: string): string {
  return json.replace(unsafe, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
