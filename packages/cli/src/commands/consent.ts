import type { PermissionReport, PluginInfo, WaitingUpdate } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import type { Command } from 'commander';
import { askForMissing, TerminalPrompter } from '../consent.ts';
import type { Io } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, note, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { stepText, updateText } from '../update-text.ts';

/** `grant`, `revoke`, `permissions`, `update`: what users agree to and take back. */
export function addConsentCommands(plugin: Command, registry: Registry): void {
  addGrant(plugin, registry);
  withGlobals(plugin.command('revoke'))
    .description('take granted permissions back; what runs is ended')
    .argument('<plugin>', 'its name')
    .argument('<permission...>', 'as `mmm plugin info` spells them')
    .action((id: string, keys: string[], options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.revoke(id, keys);
            print(io, options, { id, ...report }, await grantText(`Revoked from ${id}`, id, keys, report.missing));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(plugin.command('permissions'))
    .description('show what a plugin may do, what decides about it, and what of it was used')
    .argument('<plugin>', 'its name')
    .option('--used', 'also show when each was last used, where mmm can see it')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const report = await host.permissions(id);
            print(io, options, { id, ...report }, permissionsText(id, report, options.used === true));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addGrant(plugin: Command, registry: Registry): void {
  const grant = withGlobals(plugin.command('grant'))
    .description('grant permissions that the plugin, or an update that waits, asks for')
    .argument('<plugin>', 'its name')
    .argument('<permission...>', 'as `mmm plugin info` spells them, such as filesystem=read:/path')
    .action((id: string, keys: string[], options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.grant(id, keys);
            const text = await grantText(`Granted to ${id}`, id, keys, report.missing);
            const updated = report.updated === null ? '' : `\nUpdated ${id} to ${report.updated}.`;
            const step = report.step === null ? '' : `\n${stepText(id, report.step)}`;
            print(io, options, { id, ...report }, `${text}${updated}${step}`);
            return report.step?.state === 'failed' ? exitCodes.crashed : exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(grant, [
    'mmm plugin grant fetcher network=api.example.com:443',
    'mmm plugin grant fetcher filesystem=read:/srv/pictures environment=LANG',
  ]);
}

async function grantText(
  title: string,
  id: string,
  keys: readonly string[],
  missing: readonly string[],
): Promise<string> {
  const lines = [`${title}: ${keys.join(', ')}`];
  if (missing.length > 0) {
    const { grantCommand } = await import('@mmm/host');
    lines.push(`Still without a decision: ${missing.join(', ')}`, `  ${grantCommand(id, missing)}`);
  }
  return lines.join('\n');
}

function permissionsText(id: string, { permissions, refused }: PermissionReport, showUses: boolean): string {
  const lines = permissions.flatMap(({ key, status, risk, sentence, policy, used, permission }) => [
    `${status.padEnd(9)} ${risk.padEnd(8)} ${safeText(key, 300)}  ${safeText(sentence, 300)}`,
    ...(policy === null ? [] : [`                   decided by ${safeText(policy, 400)}`]),
    ...(permission.optional === true ? ['                   it also works without'] : []),
    ...(showUses ? [`                   ${usesText(used)}`] : []),
  ]);
  const extra = showUses
    ? refused.map(
        ({ key, denials, lastDeniedAt }) =>
          `refused            ${safeText(key, 300)}  tried ${times(denials)}, last ${lastDeniedAt ?? ''}; ` +
          'its manifest does not ask for it',
      )
    : [];
  return [...lines, ...extra].join('\n') || `${id} asks for no permission.`;
}

function usesText(used: PermissionReport['permissions'][number]['used']): string {
  if (used === null) return 'not observable: the operating system allows it from the start, and counts nothing';
  const { uses, lastUsedAt, denials, lastDeniedAt } = used;
  const done = uses === 0 ? 'never used' : `used ${times(uses)}, last ${lastUsedAt ?? ''}`;
  return denials === 0 ? done : `${done}; refused ${times(denials)}, last ${lastDeniedAt ?? ''}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** Shows what is different, then asks about what is missing. Returns the keys that were allowed. */
export async function askForUpdate(io: Io, info: PluginInfo, update: WaitingUpdate): Promise<readonly string[]> {
  const { systemClock } = await import('@mmm/host');
  note(io, updateText(info, update));
  const prompter = new TerminalPrompter(io, systemClock, { once: false });
  const { id } = info;
  return await askForMissing(prompter, { ...update, id });
}

/** What waits, and how to accept or drop it. */
export async function waitingText(info: PluginInfo, update: WaitingUpdate): Promise<string> {
  const { grantCommand } = await import('@mmm/host');
  return [
    updateText(info, update),
    `  To accept it: ${grantCommand(info.id, update.missing)}`,
    `  To forget it: mmm plugin update ${info.id} --drop`,
  ].join('\n');
}
