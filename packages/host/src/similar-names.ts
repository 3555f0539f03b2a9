import type { PluginRecord } from './store/store.ts';

/**
 * The installed plugins of others whose names a reader may take for this one: with `0` for `o`, `1` or `i` for `l`,
 * `rn` for `m`, or words joined in another way. A name that is installed already and the publisher's own are none.
 */
export function similarNames(name: string, publisher: string | null, records: readonly PluginRecord[]): string[] {
  const looks = appearance(name);
  // Whoever signed nothing is nobody, and nobody's two plugins need not be of one hand.
  const isOwn = (record: PluginRecord): boolean => isKey(publisher) && record.publisher === publisher;
  return records
    .filter((record) => record.bundleSha256 !== null && record.id !== name && appearance(record.id) === looks)
    .filter((record) => !isOwn(record))
    .map(({ id }) => id);
}

function appearance(name: string): string {
  return name.replaceAll('rn', 'm').replaceAll('0', 'o').replaceAll(/[1i]/g, 'l').replaceAll(/[-_/]/g, '');
}

function isKey(publisher: string | null): boolean {
  return publisher !== null && /^[0-9a-f]{32}$/.test(publisher);
}
