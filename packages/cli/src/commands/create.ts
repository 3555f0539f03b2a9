import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { MmmError, pluginName } from '@mmm/protocol';
import type { Command } from 'commander';
import { firstCall, kinds, type NewPlugin, pluginFiles, templates } from '../create/plugin-template.ts';
import type { Io } from '../io.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

/** `mmm plugin create`: a complete plugin that works, from nothing and without a network. */
export function addCreateCommand(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('create'))
    .description('make a new plugin that works, with nothing to install')
    .argument('<name>', 'its name: lower-case words joined by "_" or "-", at most with a publisher before a "/"')
    .option('--template <language>', templates.join(', '), 'javascript')
    .option('--kind <kind>', `what it offers first: ${kinds.join(', ')}`, 'tool')
    .option('--dir <dir>', 'where to put it (default: a folder of its name here)')
    .action((name: string, options) =>
      registry.select(async (io) => {
        const { suggest, systemClock } = await import('@mmm/host');
        const template = oneOf('--template', options.template, templates, suggest);
        const kind = oneOf('--kind', options.kind, kinds, suggest);
        checkName(name);
        const directory = resolve(io.cwd, options.dir ?? name.split('/').at(-1));
        const year = new Date(systemClock.now()).getUTCFullYear();
        const files = await writePlugin(io, directory, { name, template, kind, year });
        const { capability, input } = firstCall(kind);
        const place = shellWord(relative(io.cwd, directory) || '.');
        const next = [
          ...(place === '.' ? [] : [`cd ${place}`]),
          `mmm plugin dev --watch --call '${capability} ${input}'`,
        ];
        print(
          io,
          options,
          { name, directory, template, kind, files, next },
          [
            `Created ${name} (${template}, ${kind}) in ${directory}: ${files.length} files.`,
            'Next, in this order:',
            ...next.map((line) => `  ${line}`),
            'README.md says how to test, sign and install it.',
          ].join('\n'),
        );
        return exitCodes.ok;
      }, options),
    );
}

/** Writes the files of a new plugin into an empty folder, which is made if it is missing. Returns their paths. */
async function writePlugin(io: Io, directory: string, plugin: NewPlugin): Promise<readonly string[]> {
  const files = await pluginFiles(join(io.resources, 'templates'), plugin);
  await refuseFilled(directory);
  for (const [path, text] of files) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { flag: 'wx' });
  }
  return [...files.keys()];
}

async function refuseFilled(directory: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    const reason = code === 'ENOTDIR' ? 'it is a file' : message;
    throw new MmmError('USAGE', `The plugin cannot be put into ${directory}: ${reason}. Choose another with --dir.`, {
      argument: '--dir',
    });
  }
  if (names.length === 0) return;
  throw new MmmError(
    'USAGE',
    `The folder ${directory} is not empty, and nothing in it is overwritten. Choose another with --dir.`,
    { argument: '--dir' },
  );
}

function checkName(name: string): void {
  const parsed = pluginName.safeParse(name);
  if (parsed.success) return;
  const near = nearestName(name);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  const reason = parsed.error.issues[0]?.message ?? 'is not a name';
  throw new MmmError('USAGE', `A plugin cannot be called "${name}": the name ${reason}.${hint}`, { argument: name });
}

/** What the author may have meant: `My Plugin!` → `my_plugin`. */
function nearestName(name: string): string | undefined {
  const near = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9/]+/g, '_')
    .split('/')
    .map((part) => part.replace(/^[0-9_]+|_+$/g, ''))
    .join('/')
    .slice(0, 80);
  return pluginName.safeParse(near).success ? near : undefined;
}

function oneOf<T extends string>(
  option: string,
  word: string,
  choices: readonly T[],
  suggest: (word: string, choices: readonly string[]) => string | undefined,
): T {
  const found = choices.find((choice) => choice === word);
  if (found !== undefined) return found;
  const near = suggest(word, choices);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  throw new MmmError('USAGE', `${option} takes ${choices.join(', ')}, not "${word}".${hint}`, { argument: option });
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
