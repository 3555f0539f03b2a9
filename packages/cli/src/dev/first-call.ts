import { MmmError } from '@mmm/protocol';

/** What `--call` asks for. */
export interface CallToTry {
  readonly capability: string;
  readonly input: unknown;
  /** As it was typed, for showing it. */
  readonly text: string;
}

/** Reads `NAME` or `NAME JSON`: a capability by name, alias or kind:name, and its input, `{}` without one. */
export function parseCall(text: string): CallToTry {
  const [, capability = '', json = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(text) ?? [];
  if (capability === '' || /^[{["]/.test(capability)) {
    throw usage(`--call takes the name of a capability and its input, not ${JSON.stringify(text)}.`);
  }
  try {
    return { capability, input: json === '' ? {} : JSON.parse(json), text: text.trim() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usage(`The input in --call is not JSON: ${reason}.`);
  }
}

function usage(sentence: string): MmmError<'USAGE'> {
  const example = `Quote it for your shell: --call 'greet {"name":"Ada"}'`;
  return new MmmError('USAGE', `${sentence} ${example}`, { argument: '--call' });
}
