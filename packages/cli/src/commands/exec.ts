import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { safeText } from '@mmm/host/display';
import { MmmError, type ProgressValue, wireLimits } from '@mmm/protocol';
import type { Command } from 'commander';
import { mayAsk, TerminalPrompter } from '../consent.ts';
import { formatOutput } from '../format-output.ts';
import { type Io, readFileUpTo, readStdin } from '../io.ts';
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
    .action((id: string, capability: string, options) =>
      registry.select(async (io) => {
        const input = await readInput(io, options.input);
        const timeoutMs = options.timeout === undefined ? undefined : milliseconds(options.timeout);
        const unconfined: string | undefined = options.unconfined;
        if (unconfined !== undefined && unconfined !== id) {
          throw new MmmError(
            'USAGE',
            `--unconfined names "${unconfined}", but the plugin called is "${id}". It must repeat the plugin's name.`,
            { argument: '--unconfined' },
          );
        }
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

async function readInput(io: Io, text: string): Promise<unknown> {
  const { json, place } = await inputText(io, text);
  if (json.trim() === '') {
    throw usage(`There is nothing in ${place}. Give JSON, such as {} for an empty input.`);
  }
  try {
    return JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usage(`The input from ${place} is not JSON: ${safeText(reason)}. ${advice(io, text)}`);
  }
}

async function inputText(io: Io, text: string): Promise<{ readonly json: string; readonly place: string }> {
  if (text !== '-' && !text.startsWith('@')) return { json: text, place: '--input' };
  const place = text === '-' ? 'standard input' : text.slice(1);
  try {
    const json =
      text === '-'
        ? await readStdin(io, wireLimits.messageBytesMax)
        : await readFileUpTo(resolve(io.cwd, place), wireLimits.messageBytesMax);
    // Editors of some systems begin a file with a mark that is no JSON.
    return { json: json.replace(/^\uFEFF/, ''), place };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usage(`The input cannot be read from ${place}: ${reason}`);
  }
}

function advice(io: Io, text: string): string {
  if (text === '-' || text.startsWith('@')) return 'It must be one JSON document.';
  if (existsSync(resolve(io.cwd, text))) return `To read it from that file: --input @${text}`;
  return `Quote it for your shell: --input '{"key":"value"}'`;
}

function usage(message: string): MmmError<'USAGE'> {
  return new MmmError('USAGE', message, { argument: '--input' });
}
