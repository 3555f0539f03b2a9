import { emptyHead } from '../store/chain-head.ts';
import type { Head } from '../store/store.ts';
import { auditFiles } from './audit-files.ts';
import { unsealLine } from './chain.ts';
import { linesOf } from './verify-chain.ts';

/**
 * Where a log ends by its own files, for a state.db that does not know: the last entry that is whole. What was cut off
 * at its end does not show then, and what is broken before it shows as ever.
 */
export function lastEntry(directory: string): Head {
  const files = auditFiles(directory);
  for (const [index, file] of [...files.entries()].reverse()) {
    let last: Head | undefined;
    let bytes = 0;
    for (const line of linesOf(file)) {
      bytes += line.length + 1;
      const entry = unsealLine(line);
      if (!('problem' in entry)) last = { seq: entry.seq, hash: entry.hash, bytes };
    }
    // Of a file that was put by nothing is counted: the current one begins anew after it.
    if (last !== undefined) return index === files.length - 1 ? last : { ...last, bytes: 0 };
  }
  return emptyHead;
}
