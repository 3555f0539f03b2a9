import { hostMethods } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';

/** One request as it would leave the host: redirects come one by one. */
export interface TestRequest {
  readonly url: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty without one. */
  readonly body: Uint8Array;
  readonly timeoutMs: number | undefined;
}

export interface TestAnswer {
  /** Default 200. */
  readonly status?: number;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** What the world answers. Throw an RpcError for what the host would: PermissionDenied, Timeout, NetworkFailed. */
export type TestFetch = (request: TestRequest) => TestAnswer | Promise<TestAnswer>;

/** The host method `fetch`, answered by a function of the test. */
export function fetchHandler(answer: TestFetch): RequestEntry {
  return onRequest(hostMethods.fetch, async (params) => {
    const { url, method, headers, body = '', body_encoding: encoding, timeout_ms: timeoutMs } = params;
    const given = await answer({ url, method, headers, body: Buffer.from(body, encoding), timeoutMs });
    const { status = 200, headers: answered = {}, body: sent = '' } = given;
    const head = { status, headers: { ...answered } };
    if (typeof sent === 'string') return { ...head, body: sent, body_encoding: 'utf8' as const };
    return { ...head, body: Buffer.from(sent).toString('base64'), body_encoding: 'base64' as const };
  });
}
