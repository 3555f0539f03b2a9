import { rmSync, statSync, writeFileSync } from 'node:fs';

/** Left beside a state file in which damage showed in use: whoever opens it next looks at all of it. */
function markOf(file: string): string {
  return `${file}.suspect`;
}

/** Never throws: who is told of the damage must not be told of this instead. */
export function suspect(file: string): void {
  try {
    writeFileSync(markOf(file), '', { mode: 0o600 });
  } catch {
    // A full disk, or one that fails: then the damage shows again.
  }
}

export function isSuspected(file: string): boolean {
  return statSync(markOf(file), { throwIfNoEntry: false }) !== undefined;
}

export function clear(file: string): void {
  rmSync(markOf(file), { force: true });
}
