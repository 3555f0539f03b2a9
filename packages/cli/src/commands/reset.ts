import type { ResetReport } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm plugin reset`: a plugin that crashed too often may be started again at once. */
export function addResetCommand(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('reset'))
    .description('forget the crashes of a plugin and lift its quarantine')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.reset(id);
            print(io, options, report, resetText(report));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm plugin reset calculator']);
}

function resetText({ id, crashes, quarantine }: ResetReport): string {
  if (quarantine !== null) {
    return `Lifted the quarantine of ${id}: the next call starts it. It was for this:\n  ${indented(quarantine.cause)}`;
  }
  if (crashes === 0) return `There was nothing to forget: ${id} is not quarantined and had no crash that counts.`;
  return `Forgot ${crashes === 1 ? 'one crash' : `${crashes} crashes`} of ${id}.`;
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => safeText(line))
    .join('\n  ');
}
