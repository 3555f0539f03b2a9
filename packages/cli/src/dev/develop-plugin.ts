import type { DevelopmentOptions, LogLine } from '@mmm/host';
import type { Io } from '../io.ts';
import { withOwnHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print } from '../output.ts';
import { endBuilds } from './build.ts';
import { DevelopmentRun } from './development-run.ts';
import type { CallToTry } from './first-call.ts';
import { WatchSession } from './watch-session.ts';

/** Builds, runs and calls a plugin under development, once or until it is told to stop. Returns the exit code. */
export async function developPlugin(
  io: Io,
  options: GlobalOptions,
  development: DevelopmentOptions,
  { watch, call }: { readonly watch: boolean; readonly call: CallToTry | undefined },
): Promise<number> {
  let showLog: (line: LogLine) => void = () => undefined;
  try {
    return await withOwnHost(
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
