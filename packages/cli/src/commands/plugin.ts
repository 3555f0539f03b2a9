import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { addConfigCommands } from './config.ts';
import { addCreateCommand } from './create.ts';
import { addDevCommand } from './dev.ts';
import { addExecCommand } from './exec.ts';
import { addInstallCommands } from './install.ts';
import { addShowCommands } from './show.ts';

/** `mmm plugin …`, one group of commands a file. */
export function addPluginCommands(program: Command, registry: Registry): void {
  const plugin = program.command('plugin').description('install, inspect and run plugins');
  addCreateCommand(plugin, registry);
  addDevCommand(plugin, registry);
  addInstallCommands(plugin, registry);
  addShowCommands(plugin, registry);
  addExecCommand(plugin, registry);
  addConfigCommands(plugin, registry);
  addSwitchCommands(plugin, registry);
}

function addSwitchCommands(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('enable'))
    .description("allow an installed plugin to run, or a project's plugin in this project")
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            await host.enable(id);
            print(io, options, { id, enabled: true }, `Enabled ${id}.`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(plugin.command('disable'))
    .description('keep a plugin installed but never run it')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            await host.disable(id);
            print(io, options, { id, enabled: false }, `Disabled ${id}.`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  const grant = withGlobals(plugin.command('grant'))
    .description('grant permissions the plugin asks for')
    .argument('<plugin>', 'its name')
    .argument('<permission...>', 'as `mmm plugin info` spells them, such as filesystem=read:/path')
    .action((id: string, keys: string[], options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.grant(id, keys);
            print(io, options, { id, ...report }, await grantText(`Granted to ${id}`, id, keys, report.missing));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(grant, [
    'mmm plugin grant fetcher network=api.example.com:443',
    'mmm plugin grant fetcher filesystem=read:/srv/pictures environment=LANG',
  ]);
  withGlobals(plugin.command('revoke'))
    .description('take granted permissions back')
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
