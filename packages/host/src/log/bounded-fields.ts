import { wireLimits } from '@mmm/protocol';

type Fields = Readonly<Record<string, unknown>>;

/** The fields, or a note in their place when they are larger than `bytesMax` as JSON. Takes no longer than that. */
export function boundedFields(fields: Fields, bytesMax: number = wireLimits.logLineBytes): Fields {
  if (!isLarger(fields, bytesMax) && Buffer.byteLength(JSON.stringify(fields)) <= bytesMax) return fields;
  return { left_out: `more than ${bytesMax} bytes` };
}

/** Whether the JSON of a value surely takes more bytes: walks no further than it takes to know. */
function isLarger(value: unknown, bytesMax: number): boolean {
  const left: unknown[] = [value];
  let bytes = 0;
  while (left.length > 0 && bytes <= bytesMax) {
    const next = left.pop();
    bytes += 1;
    if (typeof next === 'string') bytes += next.length;
    if (typeof next !== 'object' || next === null) continue;
    if (Array.isArray(next)) {
      bytes += next.length;
      if (bytes <= bytesMax) for (const item of next) left.push(item);
      continue;
    }
    for (const name in next) {
      bytes += name.length + 3;
      if (bytes > bytesMax) return true;
      left.push((next as Fields)[name]);
    }
  }
  return bytes > bytesMax;
}
