import { lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fieldTree } from './config/field-tree.ts';
import { manifestInvalid } from './discover/manifest.ts';
import type { PluginSpec } from './discover/spec.ts';
import { safeText } from './display/safe-text.ts';
import { hostLimits } from './limits.ts';
import { compileSchema } from './schema/json-schema.ts';
import type { PathPart, Problem } from './source/problem.ts';
import { suggest } from './source/suggest.ts';

/** What a file of a program ends with. Other arguments may be a host, a version, or a file that is made later. */
const programFile =
  /^(?:\.\/)?(?!-)[\w.@+-]+(?:\/[\w.@+-]+)*\.(?:[cm]?[jt]s|pyz?|rb|pl|php|lua|tcl|r|jl|exs?|sh|bash|jar|wasm|dll|so)$/i;

/**
 * What only its first start or call would show, found while the author still can mend it: schemas that cannot be used,
 * and files that the command names and the folder does not have. Throws MANIFEST_INVALID with the place of each.
 */
export async function checkBundle(spec: PluginSpec): Promise<void> {
  const problems = [...missingArguments(spec), ...(await unusableSchemas(spec))];
  if (problems.length === 0) return;
  const text = await readFile(spec.manifestFile, 'utf8');
  const format = spec.manifestFile.endsWith('.yaml') ? 'yaml' : 'toml';
  throw await manifestInvalid(text, spec.manifestFile, format, problems);
}

function missingArguments({ directory, manifest }: PluginSpec): Problem[] {
  const commands: [PathPart[], readonly string[] | undefined][] = [
    [['plugin', 'command'], manifest.plugin.command],
    [['install', 'command'], manifest.install?.command],
    ...Object.entries(manifest.targets ?? {}).map(([platform, { command }]): [PathPart[], readonly string[]] => [
      ['targets', platform, 'command'],
      command,
    ]),
  ];
  return commands.flatMap(([path, command = []]) =>
    command.flatMap((argument, index): Problem[] => {
      if (index === 0 || !programFile.test(argument) || argument.split('/').includes('..')) return [];
      if (lstatSync(join(directory, argument), { throwIfNoEntry: false }) !== undefined) return [];
      const message = `names "${safeText(argument)}", which is not in the plugin folder`;
      return [{ path: [...path, index], message, at: 'value' }];
    }),
  );
}

async function unusableSchemas({ directory, manifest }: PluginSpec): Promise<Problem[]> {
  const problems: Problem[] = [];
  const check = async (path: readonly PathPart[], source: unknown): Promise<void> => {
    if (source === undefined) return;
    try {
      const schema = typeof source === 'string' ? await readSchema(join(directory, source)) : source;
      await compileSchema(schema, '', suggest);
      if (path[0] === 'config') fieldTree(schema);
    } catch (error) {
      const reason = safeText(error instanceof Error ? error.message : String(error), 400);
      const what = typeof source === 'string' ? `names "${safeText(source)}", which cannot be used` : 'cannot be used';
      problems.push({ path, message: `${what}: ${reason}`, at: 'value' });
    }
  };
  await check(['config', 'schema'], manifest.config?.schema);
  for (const [index, { input, output }] of manifest.capabilities.entries()) {
    await check(['capabilities', index, 'input'], input);
    await check(['capabilities', index, 'output'], output);
  }
  return problems;
}

async function readSchema(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  if (text.length > hostLimits.schemaBytes) throw new Error(`it is larger than ${hostLimits.schemaBytes / 1024} KiB`);
  return JSON.parse(text);
}
