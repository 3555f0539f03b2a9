import { createHash } from 'node:crypto';

/** Details up to this are written whole, so that the tail of the log is always read in one go. */
const detailBytesMax = 16 * 1024;
/** Of a detail that is larger, fields up to this stay as they are: ids, hashes, versions, levels. */
const fieldBytesMax = 512;
/** First entries of a list that is too long, and the most one of them may take. */
const entriesKept = 20;
const entryBytesMax = 256;
const textKept = 256;

type Detail = Readonly<Record<string, unknown>>;

/**
 * A detail that fits into an entry. Shortened field by field, because much of one field must not take the others with
 * it: a plugin chooses how long its lists are, and must not choose what is recorded of it. What is left out is counted,
 * and its sha256 (of its JSON) is written, so that it can still be compared with what somebody claims it was.
 */
export function boundedDetail(detail: Detail): Detail {
  if (bytesOf(detail) <= detailBytesMax) return detail;
  const shortened = Object.entries(detail).map(([key, value]) => [key, shorten(value)] as const);
  const bounded = Object.fromEntries(shortened);
  if (bytesOf(bounded) <= detailBytesMax) return bounded;
  // Very many fields: the small ones, as many as fit.
  let bytes = 0;
  const bySize = shortened.map(([key, value]) => ({ key, value, size: bytesOf({ [key]: value }) }));
  const kept = bySize
    .sort((a, b) => a.size - b.size)
    .filter(({ size }) => {
      bytes += size;
      return bytes <= detailBytesMax / 2;
    })
    .map(({ key, value }) => [key, value] as const);
  return { ...Object.fromEntries(kept), left_out_fields: shortened.length - kept.length, sha256: sha256Of(detail) };
}

function shorten(value: unknown): unknown {
  if (bytesOf(value) <= fieldBytesMax) return value;
  const sha256 = sha256Of(value);
  if (Array.isArray(value)) {
    const first = value.slice(0, entriesKept).map((entry) => (bytesOf(entry) <= entryBytesMax ? entry : cut(entry)));
    return { count: value.length, first, sha256 };
  }
  if (typeof value === 'object' && value !== null) return { fields: Object.keys(value).length, sha256 };
  return { text: cut(value), sha256 };
}

function cut(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return `${text.slice(0, textKept)} … (${text.length} characters)`;
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

function sha256Of(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? '')
    .digest('hex');
}
