import { type EndingLimit, type ExitReason, MmmError } from '@mmm/protocol';
import { safeLines, safeText } from './safe-text.ts';

/** How many of a plugin's last lines an error shows; the log has the rest. */
const linesShown = 5;

const limitNames: Readonly<Record<EndingLimit, string>> = {
  memory: 'memory',
  cpu: 'processor time',
  processes: 'processes',
  disk: 'disk space',
};

/** What happened to a session, as the end of a sentence that begins with the plugin's name. */
export function describeExit(reason: ExitReason): string {
  switch (reason.kind) {
    case 'requested':
      return 'was stopped by the host';
    case 'clean':
      return 'ended by itself with exit code 0';
    case 'exit':
      return `exited with code ${reason.code}`;
    case 'signal':
      return `was ended by ${reason.signal}`;
    case 'protocol':
      return `was ended because it broke the protocol: ${safeText(reason.detail)}`;
    case 'unresponsive':
      return `was ended because it no longer answered: ${safeText(reason.detail)}`;
    case 'sandbox':
      return `was ended by its sandbox: ${safeText(reason.detail)}`;
    case 'start_timeout':
      return `was ended because it did not answer initialize within ${reason.timeoutMs / 1000} s`;
    case 'memory':
    case 'cpu':
    case 'processes':
    case 'disk':
      return `went over its limit of ${limitNames[reason.kind]}: ${safeText(reason.detail)}`;
  }
}

/**
 * The error for everybody who waited for a session that ended, with the last lines the plugin printed. `during` says
 * what was interrupted, such as `during the call of "sum"`.
 */
export function exitError(plugin: string, reason: ExitReason, during?: string): MmmError<'PLUGIN_EXITED'> {
  const sentence = `${plugin} ${describeExit(reason)}${during === undefined ? '' : ` ${during}`}.`;
  const tail = 'stderrTail' in reason ? reason.stderrTail.trim() : '';
  const printed = tail === '' ? '' : ` It last printed:\n${safeLines(tail, linesShown).replaceAll(/^/gm, '  ')}`;
  return new MmmError('PLUGIN_EXITED', sentence + printed, { plugin, reason });
}
