import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { safeText } from '@mmm/host/display';
import { MmmError, wireLimits } from '@mmm/protocol';
import { type Io, readFileUpTo, readStdin } from './io.ts';

/** What an option that takes JSON, `@FILE` or `-` for standard input leads to. Throws USAGE. */
export async function readJson(io: Io, option: string, text: string): Promise<unknown> {
  const { json, place } = await jsonText(io, option, text);
  if (json.trim() === '') {
    throw usage(option, `There is nothing in ${place}. Give JSON, such as {} for an empty input.`);
  }
  try {
    return JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usage(option, `The input from ${place} is not JSON: ${safeText(reason)}. ${advice(io, option, text)}`);
  }
}

async function jsonText(
  io: Io,
  option: string,
  text: string,
): Promise<{ readonly json: string; readonly place: string }> {
  if (text !== '-' && !text.startsWith('@')) return { json: text, place: option };
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
    throw usage(option, `The input cannot be read from ${place}: ${reason}`);
  }
}

function advice(io: Io, option: string, text: string): string {
  if (text === '-' || text.startsWith('@')) return 'It must be one JSON document.';
  if (existsSync(resolve(io.cwd, text))) return `To read it from that file: ${option} @${text}`;
  return `Quote it for your shell: ${option} '{"key":"value"}'`;
}

function usage(option: string, message: string): MmmError<'USAGE'> {
  return new MmmError('USAGE', message, { argument: option });
}
