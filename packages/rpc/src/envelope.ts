import type { Framing } from '@mmm/protocol';

/** One JSON-RPC message, its envelope checked by hand because every message passes here. */
export interface Envelope {
  readonly jsonrpc: '2.0';
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export type MessageId = string | number;

/** What a parsed JSON text is to a JSON-RPC peer. `printed`: an object somebody logged, with none of our keys. */
export type EnvelopeKind = 'request' | 'notification' | 'response' | 'batch' | 'invalid' | 'printed';

export function isId(value: unknown): value is MessageId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));
}

/** Tells what an object or array is. Reads own keys only, so that a key named like a member of Object means nothing. */
export function kindOf(value: object): EnvelopeKind {
  if (Array.isArray(value)) return 'batch';
  const message = value as Envelope;
  const hasId = message.id !== undefined;
  if (message.jsonrpc !== '2.0') {
    return hasId || message.jsonrpc !== undefined || message.method !== undefined ? 'invalid' : 'printed';
  }
  if (message.method !== undefined) {
    if (typeof message.method !== 'string') return 'invalid';
    if (!hasId) return 'notification';
    return isId(message.id) ? 'request' : 'invalid';
  }
  if (!isId(message.id)) return 'invalid';
  const hasError = message.error !== undefined && message.error !== null;
  return hasError || message.result !== undefined ? 'response' : 'invalid';
}

/** Quotes something of the peer's for a log line: escaped by JSON and short. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

export const framingNames: Readonly<Record<Framing, string>> = {
  ndjson: 'lines of JSON',
  'content-length': 'Content-Length headers',
};
