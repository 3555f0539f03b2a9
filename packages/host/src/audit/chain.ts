import { createHash } from 'node:crypto';
import { printableJson } from '../display/safe-text.ts';

/** One line of the audit log as it was read. */
export interface AuditRecord {
  readonly seq: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  readonly action: string;
  readonly plugin?: string;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Present when a line that a crash left half-written was cut off before this one: its length in bytes. */
  readonly torn_bytes?: number;
  /** The hash of the entry before. */
  readonly prev: string;
  readonly hash: string;
}

/** `,"hash":"<64 hex>"}`: what a line ends with. */
const tailLength = 9 + 64 + 2;
const tail = /^,"hash":"([0-9a-f]{64})"\}$/;

/**
 * The line of an entry. The hash is over the exact bytes before it, which hold the hash of the line before: nothing has
 * to be put into a canonical form to check it, and no byte of the file can change unnoticed.
 */
export function sealLine(entry: Omit<AuditRecord, 'hash'>): { readonly line: string; readonly hash: string } {
  const body = printableJson(JSON.stringify(entry)).slice(0, -1);
  const hash = hashOf(body);
  return { line: `${body},"hash":"${hash}"}`, hash };
}

/** The entry of a line whose hash matches its bytes, or a sentence that says what is wrong with it. */
export function unsealLine(line: Buffer): AuditRecord | { readonly problem: string } {
  const bodyEnd = line.length - tailLength;
  const hash = bodyEnd < 0 ? undefined : tail.exec(line.toString('latin1', bodyEnd))?.[1];
  if (hash === undefined) return { problem: 'it is not an entry of an audit log' };
  if (hashOf(line.subarray(0, bodyEnd)) !== hash) {
    return { problem: 'its content does not match its hash: it was edited' };
  }
  try {
    return JSON.parse(line.toString('utf8')) as AuditRecord;
  } catch {
    return { problem: 'it is not JSON' };
  }
}

function hashOf(body: string | Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
