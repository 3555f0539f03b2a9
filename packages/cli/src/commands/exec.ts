import { safeText } from '@mmm/host/display';
import { MmmError, type ProgressValue } from '@mmm/protocol';
import type { Command } from 'commander';
import { mayAsk, TerminalPrompter } from '../consent.ts';
import { formatOutput } from '../format-output.ts';
import type { Io } from '../io.ts';
import { readJson } from '../json-argument.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm plugin exec`: one call, with the plugin started for it and stopped after it. */
export function addExecCommand(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('exec'))
    .alias('run')
    .description('run one capability of a plugin')
    .argument('<plugin>', 'its name')
    .argument('<capability>', 'its name, an alias, or kind:name')
    .option('--input <json>', 'the input as JSON, @FILE to read it from a file, or - for standard input', '{}')
    .option('--timeout <seconds>', 'the most to wait for the whole call')
    .option('--fail-fast', 'fail at once when the plugin waits for its restart, instead of waiting with it')
    .option('--unconfined <name>', 'run this plugin WITHOUT a sandbox; must repeat its name, recorded in the audit log')
    .option('--landlock <name>', 'run it by Landlock where bubblewrap does not work; must repeat its name, recorded')
    .action((id: string, capability: string, options) =>
      registry.select(async (io) => {
        const input = await readJson(io, '--input', options.input);
        const timeoutMs = options.timeout === undefined ? undefined : milliseconds(options.timeout);
        const unconfined = repeatedName('--unconfined', options.unconfined, id);
        const landlock = repeatedName('--landlock', options.landlock, id);
        const prompter = await terminalPrompter(io, options);
        return await withHost(
          io,
          options,
          async (host) => {
            const handle = await host.plugin(id);
            const { output, durationMs } = await handle.execute(capability, input, {
              signal: io.interrupted,
              ...(timeoutMs === undefined ? {} : { timeoutMs }),
              ...(options.failFast === true ? { failFast: true } : {}),
              // Beside a question it could be taken for a part of it.
              onProgress: (value) => {
                if (prompter?.isAsking !== true) showProgress(io, value);
              },
            });
            print(io, options, { output, durationMs }, formatOutput(io, output));
            return exitCodes.ok;
          },
          {
            ...(unconfined === undefined ? {} : { sandboxNoneFor: [unconfined] }),
            ...(landlock === undefined ? {} : { sandboxLandlockFor: [landlock] }),
            ...(prompter === undefined ? {} : { prompter }),
          },
        );
      }, options),
    );
  withExamples(command, [
    `mmm plugin exec calculator calculate --input '{"expression":"2+2*3"}'`,
    'mmm plugin exec calculator calculate --input @input.json --json',
    `echo '{"expression":"1/3"}' | mmm plugin exec calculator calculate --input -`,
  ]);
}

/** What weakens the confinement of one plugin names it, so that it cannot be a habit. */
function repeatedName(option: string, name: string | undefined, id: string): string | undefined {
  if (name === undefined || name === id) return name;
  const message = `${option} names "${name}", but the plugin called is "${id}". It must repeat the plugin's name.`;
  throw new MmmError('USAGE', message, { argument: option });
}

/** Asks at the terminal for what a start or a first use needs, unless its input is what standard input is for. */
async function terminalPrompter(
  io: Io,
  options: GlobalOptions & { readonly input: string },
): Promise<TerminalPrompter | undefined> {
  if (options.input === '-' || !mayAsk(io, options)) return undefined;
  const { systemClock } = await import('@mmm/host');
  return new TerminalPrompter(io, systemClock, { once: true });
}

function showProgress(io: Io, value: ProgressValue): void {
  if (value.kind !== 'report') return;
  const percent = value.fraction === undefined ? [] : [`${String(Math.round(value.fraction * 100)).padStart(3)} %`];
  const message = value.message === undefined ? [] : [safeText(value.message)];
  const parts = [...percent, ...message];
  if (parts.length > 0) note(io, parts.join('  '));
}

function milliseconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0))
    throw new MmmError('USAGE', `--timeout takes a number of seconds above 0, not "${text}".`, {
      argument: '--timeout',
    });
  return seconds * 1000;
}
