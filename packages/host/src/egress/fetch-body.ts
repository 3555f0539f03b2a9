import type { IncomingMessage } from 'node:http';
import type { Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { RpcError, wireLimits } from '@mmm/protocol';

/** What the host asks for and undoes, unless the plugin asks for codings itself. */
export const acceptedCodings = 'gzip, deflate, br';

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** Room in a message for all that is not the body. */
const envelopeBytes = 64 * 1024;

export interface ReadBody {
  readonly text: string;
  readonly encoding: 'utf8' | 'base64';
  /** A coding was undone. */
  readonly decoded: boolean;
}

/** The bytes to send, or undefined without a body. Throws InvalidParams for what is not base64. */
export function requestBody(request: {
  body?: string | undefined;
  body_encoding: 'utf8' | 'base64';
}): Buffer | undefined {
  const { body, body_encoding: encoding } = request;
  if (body === undefined) return undefined;
  if (encoding === 'base64' && (!/^[A-Za-z0-9+/]*={0,2}$/.test(body) || body.length % 4 !== 0)) {
    throw RpcError.of('InvalidParams', 'body is not base64.', [{ path: 'body', message: 'is not base64' }]);
  }
  return Buffer.from(body, encoding);
}

/**
 * Reads a whole body, decoded if asked to and possible. More than `bytesMax`, before or after decoding, is
 * MessageTooLarge: memory stays bounded whatever a few bytes unfold to. Bytes that are UTF-8 come as text, others as
 * base64.
 */
export async function readBody(
  answer: IncomingMessage,
  options: { readonly decode: boolean; readonly bytesMax: number },
): Promise<ReadBody> {
  const coding = (answer.headers['content-encoding'] ?? '').trim().toLowerCase();
  const decoder = options.decode ? decoders[coding]?.() : undefined;
  const body: Readable = decoder === undefined ? answer : answer.pipe(decoder);
  if (decoder !== undefined) answer.once('error', (error) => decoder.destroy(error));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > options.bytesMax) {
      answer.destroy();
      throw RpcError.of('MessageTooLarge', `The answer is larger than ${options.bytesMax} bytes.`, {
        bytes_max: options.bytesMax,
      });
    }
    chunks.push(chunk);
  }
  return { ...asText(Buffer.concat(chunks)), decoded: decoder !== undefined };
}

function asText(bytes: Buffer): Pick<ReadBody, 'text' | 'encoding'> {
  const base64 = (): Pick<ReadBody, 'text' | 'encoding'> => ({ text: bytes.toString('base64'), encoding: 'base64' });
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    // Text full of control characters grows sixfold in JSON, past what a message may hold.
    const mayGrow = bytes.length * 6 > wireLimits.messageBytes - envelopeBytes;
    if (mayGrow && Buffer.byteLength(JSON.stringify(text)) > wireLimits.messageBytes - envelopeBytes) return base64();
    return { text, encoding: 'utf8' };
  } catch {
    return base64();
  }
}
