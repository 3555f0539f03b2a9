import type { PluginDiagnosis } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import type { Command } from 'commander';
import { checksText } from '../checks.ts';
import type { Io } from '../io.ts';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm plugin doctor`: why a plugin does not start or stay up, and what to do. */
export function addPluginDoctorCommand(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('doctor'))
    .description('say what is wrong with a plugin, how it ended lately and what to do')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const diagnosis = await host.diagnose(id);
            print(io, options, diagnosis, diagnosisText(io, diagnosis));
            return diagnosis.ok ? exitCodes.ok : exitCodes.findings;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm plugin doctor calculator'], 'It starts nothing. Exit code 7: something is in the way.');
}

function diagnosisText(io: Io, { id, version, checks, exits }: PluginDiagnosis): string {
  return [`${id} ${version}`, checksText(io, checks), ...exitLines(exits)].join('\n');
}

function exitLines(exits: PluginDiagnosis['exits']): readonly string[] {
  if (exits.length === 0) return ['It has not ended yet.'];
  const title =
    exits.length === 1 ? 'How it ended, once:' : `How it ended, the last ${exits.length} times, newest first:`;
  return [
    title,
    ...exits.flatMap(({ atMs, kind, detail, stderrTail, next }) => [
      `  ${new Date(atMs).toISOString()}  ${kind}: it ${safeText(detail, 1000)}`,
      ...stderrTail
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `    | ${safeText(line, 400)}`),
      ...(next === '' ? [] : [`    ${next}`]),
    ]),
  ];
}
