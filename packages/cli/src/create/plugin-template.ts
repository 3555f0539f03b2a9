import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MmmError } from '@mmm/protocol';

export const templates = ['javascript', 'typescript', 'python'] as const;
export type TemplateName = (typeof templates)[number];
export const kinds = ['tool', 'action', 'command'] as const;
export type KindName = (typeof kinds)[number];

export interface NewPlugin {
  /** `name` or `publisher/name`. */
  readonly name: string;
  readonly template: TemplateName;
  readonly kind: KindName;
  /** For the licence. */
  readonly year: number;
}

/** The call every new plugin answers, as `mmm plugin dev --call` takes it. */
export function firstCall(kind: KindName): { readonly capability: string; readonly input: string } {
  return { capability: 'greet', input: kind === 'command' ? '{"args":["Ada"]}' : '{"name":"Ada"}' };
}

/**
 * The files of a new plugin by their paths. The templates are plugins that work as they are, called `my_plugin`; the
 * later layer wins. `folder` is where they lie, with the bundled SDK beside them.
 */
export async function pluginFiles(folder: string, plugin: NewPlugin): Promise<ReadonlyMap<string, string>> {
  const { template, kind } = plugin;
  const isNode = template !== 'python';
  const layers = [
    'shared',
    `kinds/${kind}`,
    ...(isNode ? [`node-tests/${kind}`] : []),
    `${template}/base`,
    `${template}/${kind}`,
  ];
  const files = new Map<string, string>();
  for (const layer of layers) {
    for (const path of await listFiles(join(folder, layer), '')) {
      files.set(path, await readFile(join(folder, layer, path), 'utf8'));
    }
  }
  files.set('plugin.toml', `${files.get('plugin.toml') ?? ''}${files.get('capability.toml') ?? ''}`);
  files.delete('capability.toml');
  const named = new Map([...files].map(([path, text]) => [realPath(path), fillIn(path, text, plugin)]));
  if (isNode) {
    for (const name of ['mmm-plugin-sdk.cjs', 'mmm-plugin-sdk.d.cts']) {
      named.set(`vendor/${name}`, await readSdk(join(folder, 'sdk', name)));
    }
  }
  return new Map([...named].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** A real `.gitignore` among the templates would hide files of them. */
function realPath(path: string): string {
  return path === 'gitignore' ? '.gitignore' : path;
}

function fillIn(path: string, text: string, { name, template, kind, year }: NewPlugin): string {
  const title = (name.split('/').at(-1) ?? name).replace(/[_-]/g, ' ').replace(/^./, (letter) => letter.toUpperCase());
  let filled = text.replaceAll('my_plugin', name).replaceAll('My plugin', title);
  if (path === 'LICENSE') filled = filled.replace('(c) 2026', `(c) ${year}`);
  if (path.startsWith('test/') && template === 'typescript') filled = filled.replace("'main.cjs'", "'dist/plugin.cjs'");
  if (path === 'README.md' && kind === 'command') {
    filled = filled.replaceAll('{"name":"Ada"}', firstCall(kind).input).replace(/^\| `schemas\/`.*\n/m, '');
  }
  return filled;
}

async function listFiles(folder: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  // A kind need not have files of its own in a layer.
  if (!existsSync(folder)) return found;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) found.push(...(await listFiles(join(folder, entry.name), `${path}/`)));
    else found.push(path);
  }
  return found;
}

async function readSdk(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new MmmError(
      'INTERNAL',
      `This mmm comes without the plugin SDK: ${detail}. Install mmm again, or in a clone run: npm run build`,
      { detail },
    );
  }
}
