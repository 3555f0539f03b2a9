import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { safeText } from '@mmm/host/display';
import { MmmError, type ProgressValue, wireLimits } from '@mmm/protocol';
import type { Command } from 'commander';
import { formatOutput } from '../format-output.ts';
import { type Io, readStdin } from '../io.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, note, print } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

/** `mmm plugin exec`: one call, with the plugin started for it and stopped after it. */
export function addExecCommand(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('exec'))
    .description('run one capability of a plugin')
    .argument('<plugin>')
    .argument('<capability>', 'its name, an alias, or kind:name')
    .option('--input <json>', 'the input as JSON, @FILE to read it from a file, or - for standard input', '{}')
    .option('--timeout <seconds>', 'the most to wait for the whole call')
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
        return await withHost(
          io,
          options,
          async (host) => {
            const handle = await host.plugin(id);
            const { output, durationMs } = await handle.execute(capability, input, {
              signal: io.interrupted,
              ...(timeoutMs === undefined ? {} : { timeoutMs }),
              onProgress: (value) => showProgress(io, value),
            });
            print(io, options, { output, duration_ms: durationMs }, formatOutput(io, output));
            return exitCodes.ok;
          },
          unconfined === undefined ? {} : { sandboxNoneFor: [unconfined] },
        );
      }, options),
    );
}

function showProgress(io: Io, value: ProgressValue): void {
  if (value.kind !== 'report') return;
  const percent = value.fraction === undefined ? '' : `${Math.round(value.fraction * 100)} % `;
  note(io, `${percent}${safeText(value.message ?? '')}`.trim());
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
  let json = text;
  let place = '--input';
  try {
    if (text === '-') {
      place = 'standard input';
      json = await readStdin(io, wireLimits.messageBytesMax);
    } else if (text.startsWith('@')) {
      place = text.slice(1);
      json = await readFile(resolve(io.cwd, place), 'utf8');
    }
  } catch (error) {
    throw new MmmError(
      'USAGE',
      `The input cannot be read from ${place}: ${error instanceof Error ? error.message : String(error)}`,
      { argument: '--input' },
    );
  }
  try {
    return JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError(
      'USAGE',
      `The input from ${place} is not JSON: ${reason}. Quote it for your shell: --input '{"key":"value"}'`,
      { argument: '--input' },
    );
  }
}
