import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CallContext, definePlugin, FetchError, FetchHeaders, RpcError } from '@mmm/plugin-sdk';
import { type TestFetch, type TestRequest, testPlugin } from '@mmm/plugin-sdk/testing';

/** Runs `work` in a call of a plugin, over the wire, against this world. */
async function within<T>(world: TestFetch, work: (context: CallContext) => Promise<T>): Promise<T> {
  let result: T | undefined;
  let thrown: unknown;
  const execute = async (_: unknown, context: CallContext): Promise<void> => {
    await work(context).then(
      (value) => {
        result = value;
      },
      (error: unknown) => {
        thrown = error;
      },
    );
  };
  const host = await testPlugin(definePlugin({ name: 'p', tools: { run: { execute } } }), { fetch: world });
  await host.execute('run');
  await host.shutdown();
  if (thrown !== undefined) throw thrown;
  return result as T;
}

async function failureOf(world: TestFetch, work: (context: CallContext) => Promise<unknown>): Promise<FetchError> {
  const error = await within(world, work).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof FetchError, `a FetchError, not ${String(error)}`);
  return error;
}

const text = (request: TestRequest): string => Buffer.from(request.body).toString();

describe('fetch', () => {
  it('sends method, headers and body, and gives back what came', async () => {
    const seen: TestRequest[] = [];
    const world: TestFetch = (request) => {
      seen.push(request);
      return { status: 201, headers: { 'content-type': 'text/plain' }, body: 'made' };
    };
    await within(world, async ({ fetch }) => {
      const answer = await fetch('https://api.test/things#part', {
        method: 'put',
        headers: { 'X-One': ' 1 ' },
        body: 'ü',
        timeoutMs: 5000,
      });
      assert.deepEqual(
        [answer.status, answer.ok, answer.url, answer.redirected, await answer.text()],
        [201, true, 'https://api.test/things#part', false, 'made'],
      );
      assert.equal(answer.headers.get('Content-TYPE'), 'text/plain');
    });
    const [request] = seen;
    assert.ok(request !== undefined);
    assert.deepEqual([request.url, request.method, text(request)], ['https://api.test/things', 'PUT', 'ü']);
    assert.deepEqual(request.headers, {
      'x-one': '1',
      accept: '*/*',
      'content-type': 'text/plain;charset=UTF-8',
    });
    assert.ok((request.timeoutMs ?? 0) > 4000 && (request.timeoutMs ?? 0) <= 5000);
  });
  it('writes JSON, forms and bytes, each with its type', async () => {
    const sent: [string | undefined, string][] = [];
    const world: TestFetch = (request) => {
      sent.push([request.headers['content-type'], Buffer.from(request.body).toString('latin1')]);
      return {};
    };
    await within(world, async ({ fetch }) => {
      await fetch('http://a.test/', { method: 'POST', json: { a: [1, null] } });
      await fetch('http://a.test/', { method: 'POST', body: new URLSearchParams({ 'a b': 'ü&' }) });
      await fetch('http://a.test/', { method: 'POST', body: new Uint8Array([0, 255, 128]) });
      await fetch('http://a.test/', { method: 'POST', json: 1, headers: { 'Content-Type': 'application/x+json' } });
    });
    assert.deepEqual(sent, [
      ['application/json', '{"a":[1,null]}'],
      ['application/x-www-form-urlencoded;charset=UTF-8', 'a+b=%C3%BC%26'],
      [undefined, '\u0000\u00ff\u0080'],
      ['application/x+json', '1'],
    ]);
  });
  it('reads bytes, text without a byte order mark, and JSON, as often as wanted', async () => {
    const world: TestFetch = ({ url }) => ({
      body: url.endsWith('bytes') ? new Uint8Array([0xef, 0xbb, 0xbf, 0x31, 0xff]) : '\uFEFF{"a":1}',
    });
    await within(world, async ({ fetch }) => {
      const bytes = await fetch('http://a.test/bytes');
      assert.deepEqual([...(await bytes.bytes())], [0xef, 0xbb, 0xbf, 0x31, 0xff]);
      assert.equal(await bytes.text(), '1\ufffd');
      const json = await fetch('http://a.test/json');
      assert.deepEqual(await json.json(), { a: 1 });
      assert.equal(await json.text(), '{"a":1}');
      await assert.rejects(bytes.json(), SyntaxError);
    });
  });
  it('keeps cookies apart', () => {
    const headers = FetchHeaders.received({ 'set-cookie': 'a=1; expires=Thu, 1 Jan\nb=2', vary: 'a, b' });
    assert.deepEqual(headers.setCookies, ['a=1; expires=Thu, 1 Jan', 'b=2']);
    assert.equal(headers.get('vary'), 'a, b');
  });
});

describe('fetch, redirected', () => {
  const chain = (statuses: Readonly<Record<string, [number, string]>>, seen: TestRequest[]): TestFetch => {
    return (request) => {
      seen.push(request);
      const [status, location] = statuses[new URL(request.url).pathname] ?? [200, ''];
      return { status, body: 'end', headers: location === '' ? {} : { location } };
    };
  };
  it('asks the host for each hop, and a POST becomes a GET but for 307 and 308', async () => {
    for (const [status, method] of [
      [301, 'GET'],
      [302, 'GET'],
      [303, 'GET'],
      [307, 'POST'],
      [308, 'POST'],
    ] as const) {
      const seen: TestRequest[] = [];
      const world = chain({ '/a': [status, '../b?q=1'], '/b': [status, 'http://other.test/c'] }, seen);
      const answer = await within(world, ({ fetch }) =>
        fetch('http://one.test/a#top', { method: 'POST', body: 'x', headers: { Authorization: 's', 'X-Own': 'kept' } }),
      );
      assert.deepEqual([answer.url, answer.redirected], ['http://other.test/c#top', true]);
      assert.deepEqual(
        seen.map(({ url, method: used, body, headers }) => [url, used, body.length, headers.authorization]),
        [
          ['http://one.test/a', 'POST', 1, 's'],
          ['http://one.test/b?q=1', method, method === 'GET' ? 0 : 1, 's'],
          ['http://other.test/c', method, method === 'GET' ? 0 : 1, undefined],
        ],
      );
      assert.equal(seen[2]?.headers['x-own'], 'kept');
      assert.equal('content-type' in (seen[2]?.headers ?? {}), method === 'POST');
    }
  });
  it('leaves other methods as they are after 301 and 302', async () => {
    const seen: TestRequest[] = [];
    await within(chain({ '/a': [302, '/b'] }, seen), ({ fetch }) => fetch('http://one.test/a', { method: 'DELETE' }));
    assert.deepEqual(
      seen.map(({ method }) => method),
      ['DELETE', 'DELETE'],
    );
  });
  it('stops after so many, at the first one, or not at all, as it is told', async () => {
    const loop = chain({ '/a': [302, '/a'] }, []);
    const seen: TestRequest[] = [];
    const limited = await failureOf(chain({ '/a': [302, '/a'] }, seen), ({ fetch }) =>
      fetch('http://one.test/a', { maxRedirects: 3 }),
    );
    assert.deepEqual([limited.reason, seen.length], ['redirect', 4]);
    assert.equal(
      (await failureOf(loop, ({ fetch }) => fetch('http://one.test/a', { redirect: 'error' }))).reason,
      'redirect',
    );
    const manual = await within(loop, ({ fetch }) => fetch('http://one.test/a', { redirect: 'manual' }));
    assert.deepEqual([manual.status, manual.ok, manual.headers.get('location')], [302, false, '/a']);
    const nowhere = await within(
      () => ({ status: 302, body: 'no location' }),
      ({ fetch }) => fetch('http://one.test/'),
    );
    assert.equal(await nowhere.text(), 'no location');
  });
  it('names the hop that was denied, and follows to http and https only', async () => {
    const world: TestFetch = ({ url }) => {
      if (url.startsWith('http://one.test')) return { status: 302, headers: { location: 'http://169.254.169.254/x' } };
      throw RpcError.of('PermissionDenied', 'not granted', { reason: 'not_granted' });
    };
    const denied = await failureOf(world, ({ fetch }) => fetch('http://one.test/'));
    assert.deepEqual([denied.reason, denied.detail, denied.url], ['denied', 'not_granted', 'http://169.254.169.254/x']);
    for (const location of ['file:///etc/passwd', 'gopher://x/', 'http://a:b@one.test/', 'http://[']) {
      const refused = await failureOf(chain({ '/a': [302, location] }, []), ({ fetch }) => fetch('http://one.test/a'));
      assert.equal(refused.reason, 'invalid', location);
    }
  });
});

describe('fetch, without an answer', () => {
  it('says why', async () => {
    for (const [name, reason] of [
      ['PermissionDenied', 'denied'],
      ['Timeout', 'timeout'],
      ['MessageTooLarge', 'too_large'],
      ['NetworkFailed', 'connection'],
      ['InvalidParams', 'invalid'],
      ['InternalError', 'connection'],
    ] as const) {
      const error = await failureOf(
        () => {
          throw RpcError.of(name, `It was ${name}.`, { reason: 'why' });
        },
        ({ fetch }) => fetch('http://a.test/'),
      );
      assert.deepEqual([error.reason, error.message, error.detail], [reason, `It was ${name}.`, 'why']);
    }
  });
  it('asks nobody when the request is none', async () => {
    const world: TestFetch = () => assert.fail('the host was asked');
    for (const [url, options] of [
      ['/relative', {}],
      ['ftp://a.test/', {}],
      ['http://user:pass@a.test/', {}],
      ['http://a.test/', { body: 'x' }],
    ] as const) {
      assert.equal((await failureOf(world, ({ fetch }) => fetch(url, options))).reason, 'invalid', url);
    }
    for (const headers of [{ 'a b': '1' }, { a: 'b\r\nc: d' }, { '': '' }]) {
      await assert.rejects(
        within(world, ({ fetch }) => fetch('http://a.test/', { headers })),
        TypeError,
      );
    }
  });
  it('ends with its own time, with its signal, and with the call', async () => {
    const never: TestFetch = () => new Promise(() => undefined);
    const late = await failureOf(never, ({ fetch }) => fetch('http://a.test/', { timeoutMs: 20 }));
    assert.deepEqual([late.reason, late.kind, late.retryable], ['timeout', 'timeout', undefined]);
    const stopped = within(never, ({ fetch }) => {
      const abort = new AbortController();
      const answer = fetch('http://a.test/', { signal: abort.signal });
      abort.abort(new Error('enough'));
      return answer;
    });
    await assert.rejects(stopped, /enough/);
  });
  it('reaches the caller with its kind when nobody catches it', async () => {
    const plugin = definePlugin({
      name: 'p',
      tools: { run: { execute: (_: unknown, { fetch }) => fetch('http://a.test/') } },
    });
    const host = await testPlugin(plugin, {
      fetch: () => {
        throw RpcError.of('NetworkFailed', 'It broke off.', { reason: 'cut' });
      },
    });
    await assert.rejects(host.execute('run'), (error: RpcError) => {
      assert.deepEqual(error.data, { kind: 'network_failed', retryable: true, details: { reason: 'cut' } });
      return true;
    });
    await host.shutdown();
  });
});
