import { type ErrorCode, errorHelp, exitCodes, wireErrors } from '@mmm/protocol';
import { table } from './tables.ts';

const exitCodeMeanings: { readonly [K in keyof typeof exitCodes]: string } = {
  ok: 'Everything went well.',
  failed: 'It failed for a reason that none of the others names.',
  usage: 'The command line, a configuration or an input was wrong.',
  consent: 'A permission is not granted or nobody has decided on it.',
  trust: 'A bundle, a signature or a key was refused.',
  notFound: 'Something asked for does not exist, or does not fit this mmm.',
  network: 'The network, or a machine on it, could not be reached.',
  findings: 'The command worked and found something to report.',
  crashed: 'A plugin crashed or did not answer in time.',
  cancelled: 'You, or the program that called, ended it.',
};

/** docs/errors.md: every code that a person or a program may meet, in the order of its number. */
export function errorsPage(): string {
  const codes = (Object.keys(errorHelp) as ErrorCode[]).sort((a, b) =>
    errorHelp[a].number.localeCompare(errorHelp[b].number),
  );
  return `${[
    '# Errors',
    [
      'Every error has a number such as `E0601`, a name such as `INPUT_INVALID`, and a sentence for people. Numbers',
      'and names are never reused. `mmm help` takes both. With `--json` the command prints an error as',
      '`{"error":{"code","name","message","data"}}`: `code` is the number, `name` the name, and `data` what it is',
      'about, with keys in `snake_case`. A program that embeds the host finds the name in `code` of the `MmmError`.',
      'This page is generated: `npm run generate`.',
    ].join('\n'),
    ...codes.map(section),
    '## Exit codes of `mmm`',
    table(['Code', 'Name', 'Meaning'], exitCodeRows()),
    '## Errors on the wire',
    'What a plugin and the host answer each other. `error.data` is `{kind, retryable, details?}`.',
    table(['Code', 'Name', '`data.kind`', 'Try again', 'Meaning'], wireErrorRows()),
  ].join('\n\n')}\n`;
}

function section(code: ErrorCode): string {
  const { number, exitCode, title, why, fix } = errorHelp[code];
  return [
    `## ${number} \`${code}\``,
    `**${title}.** ${why}`,
    `What to do: ${fix}`,
    `The command exits with ${exitCode}.`,
  ].join('\n\n');
}

function exitCodeRows(): string[][] {
  return (Object.keys(exitCodes) as (keyof typeof exitCodes)[]).map((name) => {
    return [String(exitCodes[name]), name, exitCodeMeanings[name]];
  });
}

function wireErrorRows(): string[][] {
  return Object.entries(wireErrors).map(([name, { code, kind, retryable, meaning }]) => {
    return [`\`${code}\``, name, `\`${kind}\``, retryable ? 'yes' : 'no', meaning];
  });
}
