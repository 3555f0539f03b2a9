import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';
import { addBundleCommands } from './bundle.ts';
import { addConfigCommands } from './config.ts';
import { addConsentCommands } from './consent.ts';
import { addCreateCommand } from './create.ts';
import { addDevCommand } from './dev.ts';
import { addExecCommand } from './exec.ts';
import { addInspectCommand } from './inspect.ts';
import { addInstallCommands } from './install.ts';
import { addPluginDoctorCommand } from './plugin-doctor.ts';
import { addReloadCommands } from './reload.ts';
import { addResetCommand } from './reset.ts';
import { addShowCommands } from './show.ts';
import { addStatsCommand } from './stats.ts';
import { addUpdateCommand } from './update.ts';

/** `mmm plugin …`, one group of commands a file. */
export function addPluginCommands(program: Command, registry: Registry): void {
  const plugin = program.command('plugin').description('install, inspect and run plugins');
  addCreateCommand(plugin, registry);
  addDevCommand(plugin, registry);
  addBundleCommands(plugin, registry);
  addInstallCommands(plugin, registry);
  addInspectCommand(plugin, registry);
  addShowCommands(plugin, registry);
  addStatsCommand(plugin, registry);
  addPluginDoctorCommand(plugin, registry);
  addExecCommand(plugin, registry);
  addReloadCommands(plugin, registry);
  addResetCommand(plugin, registry);
  addConfigCommands(plugin, registry);
  addSwitchCommands(plugin, registry);
  addConsentCommands(plugin, registry);
  addUpdateCommand(plugin, registry);
}

function addSwitchCommands(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('enable'))
    .description("allow an installed plugin to run, or a project's plugin in this project")
    .argument('<plugin>', 'its name')
    .option('--allow-publisher-change <name>', 'although another publisher signed it than before; recorded')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const { allowPublisherChange } = options;
            await host.enable(id, allowPublisherChange === undefined ? {} : { allowPublisherChange });
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
}
