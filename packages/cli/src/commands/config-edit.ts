import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { ConfigReport, HostClient, PluginConfig } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Io } from '../io.ts';
import { type GlobalOptions, note } from '../output.ts';

/**
 * Offers what the user set as a file in the editor and makes it the configuration. What is not valid is said, and the
 * file is offered again when somebody is there to answer; otherwise the old configuration stays. Undefined when the
 * file was left as it was.
 */
export async function editConfig(
  io: Io,
  options: GlobalOptions,
  host: HostClient,
  id: string,
): Promise<ConfigReport | undefined> {
  const editor = [io.env.VISUAL, io.env.EDITOR].find((name) => name !== undefined && name.trim() !== '');
  if (editor === undefined) {
    throw new MmmError('USAGE', 'No editor is known. Set VISUAL or EDITOR, or use: mmm plugin config set', {
      argument: 'EDITOR',
    });
  }
  const shown = await host.config(id);
  const before = editableText(id, shown);
  const folder = mkdtempSync(join(tmpdir(), 'mmm-edit-'));
  const file = join(folder, 'config.json');
  try {
    writeFileSync(file, before, { mode: 0o600, flag: 'wx' });
    for (;;) {
      await runEditor(io, editor, file);
      const text = readFileSync(file, 'utf8');
      if (text === before) return undefined;
      try {
        return await host.setConfig(id, { replace: parseEdited(id, text) });
      } catch (error) {
        if (!(await mayTryAgain(io, options, error))) throw error;
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** By a shell, because editors are named with their options: `code --wait`. */
async function runEditor(io: Io, editor: string, file: string): Promise<void> {
  const env = Object.fromEntries(Object.entries(io.env).filter(([, value]) => value !== undefined));
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { cwd: io.cwd, env, stdio: 'inherit' });
  const end = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  if (end === undefined) return;
  throw new MmmError('USAGE', `The editor "${safeText(editor)}" ended with ${end}. Nothing was changed.`, {
    argument: editor,
  });
}

async function mayTryAgain(io: Io, options: GlobalOptions, error: unknown): Promise<boolean> {
  if (!(error instanceof MmmError) || error.code !== 'CONFIG_INVALID') return false;
  if (options.interactive === false || options.json === true || io.stdin.isTTY !== true) return false;
  note(io, error.message);
  const lines = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await lines.question('Edit again? [Y/n] ', { signal: io.interrupted });
    return !/^n/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

/** What is set stands as it is; the other fields stand in comments, ready to be taken out of them. */
function editableText(id: string, { fields, values, configurable }: PluginConfig): string {
  if (!configurable) {
    const issues = [{ path: 'config.schema', message: 'has no configuration schema' }];
    throw new MmmError(
      'CONFIG_INVALID',
      `${id} cannot be configured: its manifest names no schema under [config], so nothing of it can be set.`,
      { file: 'plugin.toml', plugin: id, issues },
    );
  }
  const about = fields.map(({ key, secret, types, required, description, default: fallback, value }) => {
    const kind = secret ? `secret, ${value === null ? 'not set' : 'set'}` : types.join(' or ') || 'any value';
    const facts = [kind, ...(required ? ['required'] : [])].join(', ');
    const standard = secret || fallback === null ? '' : ` Default: ${JSON.stringify(fallback)}.`;
    const words = safeText(description ?? '', 200);
    return `//   ${safeText(key, 80)} (${safeText(facts, 80)})${standard} ${words}`.trimEnd();
  });
  return [
    `// The configuration of ${id}, as JSON. Lines that begin with // are comments; a comma before } is no mistake.`,
    '// What you leave out gets its default. An unchanged file changes nothing. Fields:',
    ...about,
    ...(fields.some(({ secret }) => secret)
      ? [`// Secrets do not belong here. Set them with: mmm plugin config set ${id} KEY -`]
      : []),
    JSON.stringify(values, undefined, 2),
    '',
  ].join('\n');
}

function parseEdited(id: string, text: string): Record<string, unknown> {
  const json = text
    .split('\n')
    .map((line) => (/^\s*\/\//.test(line) ? '' : line))
    .join('\n');
  // Strings are matched first, so that a comma within one stays.
  const strict = json.replace(/"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])/gs, (part) => (part === ',' ? '' : part));
  let problem = 'it is not a JSON object';
  try {
    const value: unknown = JSON.parse(strict);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    problem = safeText(error instanceof Error ? error.message : String(error));
  }
  throw new MmmError('CONFIG_INVALID', `The configuration of ${id} was not changed: ${problem}.`, {
    file: 'config.json',
    plugin: id,
    issues: [{ path: 'the whole', message: problem }],
  });
}
