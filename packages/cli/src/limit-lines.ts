import type { PluginLimits } from '@mmm/host';

/** What a plugin may use, a line each; beside it what its manifest asked for and did not get. */
export function limitLines({ cut, ...limits }: PluginLimits): readonly string[] {
  return Object.entries(limits).map(([name, value]) => {
    const shown = Number.isFinite(value) ? String(value) : 'no limit';
    const less = cut.find((entry) => entry.name === name);
    return `  ${name.padEnd(20)} ${shown}${less === undefined ? '' : ` (its manifest asks for ${less.asked})`}`;
  });
}
