import { SourceMap } from 'node:module';
import { posix } from 'node:path';
import type { Build } from './build.ts';

/** Where a plugin sees its own folder, as `file:///plugin/…` in ES modules. */
const inside = /(?:file:\/\/)?\/plugin\/([\w./-]+)(?::(\d+):(\d+))?/g;

/**
 * Translates what a plugin prints into the author's files: `/plugin/dist/plugin.cjs:9021:13` becomes `src/main.ts:7:5`,
 * and any other path of the plugin's folder one relative to it.
 */
export function sourcePlaces(build: Build): (text: string) => string {
  const { plan, sourceMap } = build;
  let map: SourceMap | undefined;
  return (text) =>
    text.replace(inside, (whole, path: string, line?: string, column?: string) => {
      if (path !== plan?.outfile || line === undefined || column === undefined || sourceMap === null) {
        return whole.replace(/^(?:file:\/\/)?\/plugin\//, '');
      }
      // Parsed when the first stack comes; most generations print none.
      map ??= new SourceMap(JSON.parse(sourceMap));
      const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
      if (!('originalSource' in entry)) return whole;
      const file = posix.join(posix.dirname(plan.outfile), entry.originalSource);
      return `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    });
}
