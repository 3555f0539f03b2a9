import type { DoctorCheck } from '@mmm/host';
import type { Io } from './io.ts';
import { styler } from './output.ts';

const colours = { ok: 'green', warning: 'yellow', problem: 'red' } as const;
const symbols = { ok: '✓', warning: '!', problem: '✗' } as const;

/** What was checked, a line each, with what mends it below. */
export function checksText(io: Io, checks: readonly DoctorCheck[]): string {
  const style = styler(io);
  return checks
    .map(({ name, status, message, fix }) => {
      const line = `${style(colours[status], symbols[status])} ${name}: ${message}`;
      return fix === undefined ? line : `${line}\n    ${fix}`;
    })
    .join('\n');
}
