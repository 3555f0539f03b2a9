import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { DoctorCheck } from './api.ts';
import type { Home } from './home.ts';
import { hostLimits } from './limits.ts';
import type { PluginLogs } from './plugin-logs.ts';
import { damagedFiles } from './state-file.ts';
import type { StateUse } from './store/state-values.ts';

/** What there is to say about the state file of a home; one that cannot be used opens no host. */
export function storageChecks({ stateFile }: Home): readonly DoctorCheck[] {
  const bytes = ['', '-wal']
    .map((companion) => statSync(stateFile + companion, { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
  return [
    { name: 'state', status: 'ok', message: `${basename(stateFile)} has ${sizeText(bytes)}` },
    ...damagedFiles(stateFile).map((file): DoctorCheck => {
      return {
        name: 'state',
        status: 'warning',
        message: `${file} was damaged and set aside; since then nothing of it was granted or enabled by itself`,
        fix: 'Restore a backup with `mmm restore FILE`, or grant and enable again. Then remove that file.',
      };
    }),
  ];
}

/** Logs that have gaps now: whatever is lost of them, nothing that was called waits or fails for it. */
export function logChecks(troubles: PluginLogs['troubles']): readonly DoctorCheck[] {
  return troubles.map(({ file, lines, reason }) => ({
    name: 'logs',
    status: 'warning',
    message: `${lines} ${lines === 1 ? 'line' : 'lines'} of ${file} could not be written: ${reason}`,
    fix: 'Make room on that disk, or look after it. Calls go on meanwhile; what is missing is named in the log later.',
  }));
}

/** How much of its room in the host one plugin has taken. */
export function storedValuesCheck({ keys, bytes }: StateUse): DoctorCheck {
  const { stateKeys, stateBytes } = hostLimits;
  const isNearlyFull = keys > stateKeys * 0.9 || bytes > stateBytes * 0.9;
  return {
    name: 'stored values',
    status: isNearlyFull ? 'warning' : 'ok',
    message: `${keys} of ${stateKeys} keys, ${sizeText(bytes)} of ${sizeText(stateBytes)}`,
    ...(isNearlyFull ? { fix: 'When it is full, its changes are refused. See: mmm state list --plugin NAME' } : {}),
  };
}

function sizeText(bytes: number): string {
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
