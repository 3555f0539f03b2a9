/** Headers that are about one connection and not about the message. */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export type HeaderRecord = Record<string, string | string[]>;

/**
 * What is passed on of a message's headers: all but those about the connection, those that `Connection` names, and
 * those in `without`. A repeated header stays repeated.
 */
export function endToEndHeaders(raw: readonly string[], without: readonly string[] = []): HeaderRecord {
  const pairs: [name: string, value: string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  const named = pairs
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map((name) => name.trim());
  const dropped = new Set([...hopByHop, ...named, ...without]);
  const kept: HeaderRecord = Object.create(null);
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    if (dropped.has(key)) continue;
    const earlier = kept[key];
    if (earlier === undefined) kept[key] = value;
    else kept[key] = Array.isArray(earlier) ? [...earlier, value] : [earlier, value];
  }
  return kept;
}
