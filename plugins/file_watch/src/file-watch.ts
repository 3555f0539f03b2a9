import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type ArmedTrigger,
  definePlugin,
  defineTrigger,
  type Plugin,
  type PluginContext,
  PluginError,
} from '@mmm/plugin-sdk';
import { type Change, type ChangeKind, changeId } from './entries.ts';
import { pathMatcher } from './globs.ts';
import { TreeMemory } from './memory.ts';
import { type TreeOptions, WatchedTree } from './watched-tree.ts';

/** The configuration of an instance, as schemas/files.config.json describes and checks it. */
interface FilesConfig {
  readonly path: string;
  readonly recursive?: boolean;
  readonly events?: readonly ChangeKind[];
  readonly include?: readonly string[];
  readonly ignore?: readonly string[];
  readonly debounce_ms?: number;
}

export function fileWatchPlugin(after: TreeOptions['after']): Plugin {
  return definePlugin({
    triggers: {
      files: defineTrigger<FilesConfig>({ start: (trigger, context) => watchFiles(trigger, context, after) }),
    },
  });
}

async function watchFiles(
  { instance, config, emit }: ArmedTrigger<FilesConfig>,
  { plugin, log }: PluginContext,
  after: TreeOptions['after'],
): Promise<() => Promise<void>> {
  const { path: root, recursive = true, events, include = ['**'], debounce_ms: debounceMs = 200 } = config;
  const ignore = config.ignore ?? ['**/.git', '**/node_modules'];
  const found = await stat(root).catch(() => undefined);
  if (found?.isDirectory() !== true) throw notThere(root, found !== undefined);
  const memory = new TreeMemory(plugin.dataDirectory, instance, JSON.stringify([root, recursive, include, ignore]));
  const tree: WatchedTree = new WatchedTree({
    root,
    recursive,
    debounceMs,
    isIncluded: pathMatcher(include),
    isIgnored: pathMatcher(ignore),
    before: memory.read(),
    after,
    changed: async (changes) => {
      for (const change of changes) {
        if (events?.includes(change.kind) === false) continue;
        await emit({ type: `file_watch.${change.kind}`, id: changeId(change), data: dataOf(root, change) });
      }
      // After what was told is kept: a crash in between tells it again, under the same ids.
      memory.write(tree.listings);
    },
    warn: (message) => log.warn(message),
  });
  await tree.start();
  memory.write(tree.listings);
  return () => tree.stop();
}

function dataOf(root: string, { kind, path, entry }: Change): Record<string, unknown> {
  const where = { path: join(root, path), relative: path, name: basename(path), kind };
  if (kind === 'deleted') return where;
  const modified = new Date(Number(BigInt(entry.modified) / 1_000_000n)).toISOString();
  return { ...where, size: Number(entry.size), modified };
}

function notThere(path: string, isThere: boolean): PluginError {
  const reason = isThere
    ? 'is not a folder'
    : 'is not there for this plugin: it does not exist, or was not granted (mmm plugin permissions file_watch)';
  return new PluginError(`${path} ${reason}.`, {
    kind: 'invalid_params',
    details: { issues: [{ path: 'path', message: reason }] },
  });
}
