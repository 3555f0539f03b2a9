import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DevelopmentOptions, LogLine } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { endBuilds } from '../dev/build.ts';
import { DevelopmentRun } from '../dev/development-run.ts';
import { type CallToTry, parseCall } from '../dev/first-call.ts';
import { WatchSession } from '../dev/watch-session.ts';
import type { Io } from '../io.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print } from '../output.ts';
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
        return await developPlugin(io, options, development, { watch, call });
      }, options),
    );
}

async function developPlugin(
  io: Io,
  options: GlobalOptions,
  development: DevelopmentOptions,
  { watch, call }: { readonly watch: boolean; readonly call: CallToTry | undefined },
): Promise<number> {
  let showLog: (line: LogLine) => void = () => undefined;
  try {
    return await withHost(
      io,
      options,
      async (host) => {
        const run = new DevelopmentRun(io, host, development.directory);
        showLog = (line) => run.showLog(line);
        const code = watch
          ? await new WatchSession(io, run, call).run(development.directory)
          : await runOnce(io, options, run, call);
        // What it prints while it is being stopped is its end, not news.
        showLog = () => undefined;
        return code;
      },
      { development, onLog: (_plugin, line) => showLog(line) },
    );
  } finally {
    await endBuilds();
  }
}

async function runOnce(
  io: Io,
  options: GlobalOptions,
  run: DevelopmentRun,
  call: CallToTry | undefined,
): Promise<number> {
  const { id, spec } = await run.reload();
  const { version } = spec.manifest.plugin;
  const capabilities = spec.manifest.capabilities.map(({ kind, name }) => ({ kind, name }));
  const document = { id, version, trust: 'development', directory: spec.source ?? spec.directory, capabilities };
  if (call === undefined) {
    print(io, options, document, `It starts and answers. Call it with --call, or stay with --watch.`);
    return exitCodes.ok;
  }
  const result = await run.call(call, io.interrupted);
  if (options.json === true)
    print(io, options, { ...document, output: result.output, duration_ms: result.durationMs }, '');
  else run.showResult(result);
  return exitCodes.ok;
}

/** Places in messages are compared with those the file system gives. A folder that is not there is reported later. */
function realFolder(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}
