import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { parseCall } from '../dev/first-call.ts';
import { type Registry, withGlobals } from '../program.ts';

/** `mmm plugin dev`: the one command that runs a plugin nobody signed, from the folder it is written in. */
export function addDevCommand(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('dev'))
    .description('build a plugin and run it confined from its folder, unsigned; with --watch again after each save')
    .argument('[dir]', 'the plugin folder', '.')
    .option('--watch', 'stay, and build, run and call again what is saved')
    .option('--call <name-and-json>', `call this capability, such as 'greet {"name":"Ada"}'`)
    .option('--grant-requested', 'grant, for this run only, what it asks for except critical permissions')
    .option('--grant <permission...>', 'grant these permissions for this run only')
    .action((dir: string, options) =>
      registry.select(async (io) => {
        const watch = options.watch === true;
        if (watch && options.json === true) {
          throw new MmmError('USAGE', '--json prints one document, so it cannot go with --watch.', {
            argument: '--json',
          });
        }
        const call = options.call === undefined ? undefined : parseCall(options.call);
        const development = {
          directory: realFolder(resolve(io.cwd, dir)),
          grantRequested: options.grantRequested === true,
          ...(options.grant === undefined ? {} : { grant: options.grant }),
        };
        // Loaded when it is needed: it brings the host and the toolchain.
        const { developPlugin } = await import('../dev/develop-plugin.ts');
        return await developPlugin(io, options, development, { watch, call });
      }, options),
    );
}

/** Places in messages are compared with those the file system gives. A folder that is not there is reported later. */
function realFolder(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}
