/**
 * The fields of one line of /proc/PID/stat by their numbers in proc(5), from the third on; empty where there are none.
 * The second, the name of the program, stands in parentheses and may hold anything, parentheses and spaces too.
 */
export function statFields(line: string): (number: number) => string | undefined {
  const end = line.lastIndexOf(')');
  const fields = end < 0 ? [] : line.slice(end + 2).split(' ');
  return (number) => fields[number - 3];
}

/** It has ended and only waits for its parent to notice. */
export function hasEnded(state: string | undefined): boolean {
  return state === 'Z' || state === 'X';
}
