import type { InstallStepReport, PluginInfo, WaitingUpdate } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { heardLines } from './heard-text.ts';

/** The update of a plugin that waits, with everything known about it. */
export function waitingOf(info: PluginInfo): WaitingUpdate | undefined {
  return info.update === null || 'problem' in info.update ? undefined : info.update;
}

/** What an update asks for beside the version that runs: `+` new, `=` as before, `-` no longer. */
export function updateText(info: PluginInfo, update: WaitingUpdate): string {
  const { id, version } = info;
  const added = new Set(update.added);
  const signer =
    update.trust.keyName === undefined
      ? update.trust.kind
      : `signed by "${safeText(update.trust.keyName)}" (${update.trust.fingerprint ?? ''})`;
  const changed = signerOf(info) === signerOf(update) ? '' : ', by another publisher than before';
  return [
    `${id} ${version} → ${update.version}, ${signer}${changed}:`,
    ...update.permissions.map(({ key, risk, sentence, status }) => {
      const note = status === 'missing' ? '  to be decided' : '';
      const mark = added.has(key) ? '+' : '=';
      return `  ${mark} ${risk.padEnd(8)} ${safeText(key, 300)}  ${safeText(sentence, 300)}${note}`;
    }),
    ...update.removed.map((key) => `  - ${''.padEnd(8)} ${safeText(key, 300)}  no longer asked for`),
    ...heardLines(update.events).map((line) => `  ${line}`),
    ...(update.step === null ? [] : [`  Once accepted it runs, confined: ${commandText(update.step)}`]),
    `${version} keeps running until you agree.`,
  ].join('\n');
}

function signerOf({ trust }: Pick<PluginInfo, 'trust'>): string {
  return `${trust.kind} ${trust.keyid ?? ''}`;
}

/** Said before anybody is asked for what the step would run under. */
export function stepNotice({ command }: InstallStepReport): string {
  return `Once that is decided it runs, confined: ${commandText(command)} (leave it out with --no-hooks)`;
}

/** Said before anybody agrees to what may not be the plugin that they mean; undefined when there is nothing to say. */
export function similarText(id: string, similar: readonly string[]): string | undefined {
  if (similar.length === 0) return undefined;
  return `Careful: ${id} is easily taken for ${similar.join(', ')}, which is installed and not of its publisher.`;
}

export function stepText(id: string, { command, state, detail }: InstallStepReport): string {
  const words = commandText(command);
  switch (state) {
    case 'done':
      return `Ran its install step: ${words}`;
    case 'skipped':
      return `Left out its install step: ${words}`;
    case 'pending':
      return `Its install step runs before its first start: ${words}${detail === '' ? '' : ` (${safeText(detail)})`}`;
    case 'failed':
      return (
        `Its install step ${safeText(detail, 400)}: ${words}. It is tried again at the next start; ` +
        `what it printed: mmm plugin logs ${id}`
      );
  }
}

/** The author wrote it: quoted, so that nothing in it looks like ours. */
export function commandText(command: readonly string[]): string {
  return `"${safeText(command.join(' '), 300).replaceAll('"', "'")}"`;
}
