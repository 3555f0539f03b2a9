import type { InspectReport, SignatureSummary } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { heardEvents } from '@mmm/protocol';
import type { Command } from 'commander';
import { capabilityLines } from '../capability-text.ts';
import { heardLines } from '../heard-text.ts';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, print, styler } from '../output.ts';
import { pathIn } from '../plugin-path.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { commandText, similarText } from '../update-text.ts';

/** `inspect`: what is in a plugin, before anybody decides about it. */
export function addInspectCommand(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('inspect'))
    .description('show what is in a plugin, who signed it and what it asks for; runs nothing, trusts nothing')
    .argument('<path-or-plugin>', 'a .mmmp archive or a plugin folder, else the name of a plugin')
    .action((target: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const path = pathIn(io, target);
            const report = await host.inspect(path ?? target);
            print(io, options, { ...report, path: path ?? null }, inspectText(report, path, styler(io)));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm plugin inspect ./calculator-1.0.0.mmmp', 'mmm plugin inspect calculator --json']);
}

function inspectText(report: InspectReport, path: string | undefined, style: ReturnType<typeof styler>): string {
  const { manifest, kind, archiveBytes, problem, incompatible } = report;
  const size = archiveBytes === null ? '' : `, ${archiveBytes} bytes`;
  const warnings = [
    problem === null ? null : `Not trusted here: ${problem.message}`,
    incompatible,
    similarText(report.id, report.similar),
  ];
  return [
    `${style('bold', report.id)} ${report.version}  ${safeText(manifest.plugin.description)}`,
    `  license    ${safeText(manifest.plugin.license)}`,
    `  ${kind.padEnd(9)}  ${path === undefined ? report.id : safeText(path, 4096)}${size}`,
    `  bundle     ${report.bundleSha256}`,
    ...signatureLines(report.signatures),
    ...warnings.flatMap((line) => (line == null ? [] : [style('yellow', safeText(line, 2000))])),
    'Permissions it asks for:',
    ...permissionLines(report),
    ...heardLines(heardEvents(manifest)),
    ...(manifest.install === undefined
      ? []
      : [`Runs once after an installation, confined: ${commandText(manifest.install.command)}`]),
    'Capabilities:',
    ...(report.capabilities.length === 0 ? ['  none'] : report.capabilities.flatMap(capabilityLines)),
    `Files (${report.files.length}, ${report.bytes} bytes):`,
    ...report.files.map(
      ({ path: file, size: bytes, mode }) => `  ${mode}  ${String(bytes).padStart(10)}  ${safeText(file, 200)}`,
    ),
    ...(report.leftOut.length === 0
      ? []
      : [`Not in it: ${report.leftOut.map((one) => safeText(one, 200)).join(', ')}`]),
  ].join('\n');
}

function signatureLines(signatures: readonly SignatureSummary[]): readonly string[] {
  if (signatures.length === 0) return ['  signed     by nobody'];
  return signatures.map(({ keyid, keyName, problem }, index) => {
    const whose = keyName === null ? `${keyid}, a key you do not know` : `"${safeText(keyName, 64)}" (${keyid})`;
    const worth = problem === null ? ', trusted' : keyName === null ? '' : `, does not count (${problem})`;
    return `  ${index === 0 ? 'signed   ' : '         '}  by ${whose}${worth}`;
  });
}

function permissionLines({ permissions }: InspectReport): readonly string[] {
  if (permissions.length === 0) return ['  none'];
  const words = {
    granted: 'granted',
    automatic: 'automatic',
    missing: 'asks',
    optional: 'optional',
    refused: 'REFUSED',
  };
  return permissions.map(({ key, status, risk, sentence, reason }) => {
    const said = reason === null ? '' : ` It says: "${safeText(reason).replaceAll('"', "'")}"`;
    return `  ${words[status].padEnd(9)} ${risk.padEnd(8)} ${safeText(key, 300)}  ${safeText(sentence, 300)}${said}`;
  });
}
