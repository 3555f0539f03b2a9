import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RpcError } from '@mmm/plugin-sdk';
import { type TestFetch, type TestHost, type TestPluginOptions, testPlugin } from '@mmm/plugin-sdk/testing';
import { readConfig } from '../../../../plugins/http_request/src/config.ts';
import { httpRequestPlugin } from '../../../../plugins/http_request/src/http-request.ts';
import { expandPlaceholders } from '../../../../plugins/http_request/src/placeholders.ts';
import { buildRequest, type RequestInput } from '../../../../plugins/http_request/src/request.ts';
import { kindOfStatus, type RequestOutput } from '../../../../plugins/http_request/src/result.ts';
import { parseHttpDate, retryAfterSeconds } from '../../../../plugins/http_request/src/retry-after.ts';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);

function start(fetch: TestFetch, options: TestPluginOptions = {}): Promise<TestHost> {
  return testPlugin(httpRequestPlugin({ now: () => nowMs, monotonic: () => 0 }), { fetch, ...options });
}

async function send(fetch: TestFetch, input: Partial<RequestInput> = {}): Promise<RequestOutput> {
  const host = await start(fetch);
  const output = await host.execute('http_request', { url: 'http://a.test/', ...input });
  await host.shutdown();
  return output as RequestOutput;
}

describe('Retry-After', () => {
  it('is read as seconds and as each form of a date', () => {
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
    const cases: [string | null, string | null, number | null][] = [
      ['0', null, 0],
      [' 120 ', null, 120],
      ['Sun, 06 Nov 1994 08:49:47 GMT', date, 10],
      ['Sunday, 06-Nov-94 08:49:47 GMT', date, 10],
      ['Sun Nov  6 08:49:47 1994', date, 10],
      ['Sun, 06 Nov 1994 08:49:00 GMT', date, 0],
      ['Fri, 02 Jan 2026 03:04:06 GMT', null, 1],
      ['Fri, 02 Jan 2026 03:04:06 GMT', 'yesterday', 1],
      [null, date, null],
      ['', date, null],
      ['-5', date, null],
      ['1.5', date, null],
      ['1e3', date, null],
      ['9'.repeat(30), date, null],
      ['2026-01-02', date, null],
      ['Sun, 06 Foo 1994 08:49:37 GMT', date, null],
      ['Sun, 99 Nov 1994 08:49:37 GMT', date, null],
    ];
    for (const [after, sent, seconds] of cases)
      assert.equal(retryAfterSeconds(after, sent, nowMs), seconds, String(after));
    assert.equal(parseHttpDate(date), 784111777000);
  });
});

describe('a result', () => {
  it('goes by the status', () => {
    const kinds = [101, 200, 299, 300, 304, 399, 400, 428, 429, 430, 499, 500, 599, 999].map(kindOfStatus);
    assert.deepEqual(kinds, [
      'connection',
      ...['success', 'success', 'redirect', 'redirect', 'redirect', 'client_error', 'client_error', 'rate_limited'],
      ...['client_error', 'client_error', 'server_error', 'server_error', 'server_error'],
    ]);
  });
  it('goes by the reason when there is no answer', async () => {
    for (const [name, result] of [
      ['PermissionDenied', 'denied'],
      ['Timeout', 'timeout'],
      ['NetworkFailed', 'connection'],
      ['MessageTooLarge', 'too_large'],
    ] as const) {
      const output = await send(() => {
        throw RpcError.of(name, 'So it is.', { reason: 'because' });
      });
      assert.deepEqual([output.result, output.status, output.body, output.body_type], [result, null, null, 'none']);
      assert.deepEqual(output.error, { message: 'So it is.', detail: 'because' });
    }
  });
  it('gives the body as what it is, or as what was asked for', async () => {
    const bytes = new Uint8Array([0xff, 0x00]);
    const cases: [string | undefined, string | Uint8Array, RequestInput['response'], unknown, string][] = [
      ['application/json; charset=utf-8', '{"a":1}', undefined, { a: 1 }, 'json'],
      ['application/problem+json', '[]', undefined, [], 'json'],
      ['application/json', 'not json', undefined, 'not json', 'text'],
      ['text/html', '<p>', undefined, '<p>', 'text'],
      ['image/svg+xml', '<svg/>', undefined, Buffer.from('<svg/>').toString('base64'), 'base64'],
      [undefined, 'plain', undefined, 'plain', 'text'],
      [undefined, bytes, undefined, '/wA=', 'base64'],
      ['image/png', 'text inside', undefined, Buffer.from('text inside').toString('base64'), 'base64'],
      ['image/png', 'text inside', 'text', 'text inside', 'text'],
      ['text/plain', '7', 'json', 7, 'json'],
      ['text/plain', 'x', 'base64', 'eA==', 'base64'],
      ['text/plain; charset="Shift_JIS"', new Uint8Array([0x82, 0xa0]), undefined, 'あ', 'text'],
      ['text/plain; charset=nonsense', 'ü', undefined, 'ü', 'text'],
      ['text/plain', '', undefined, null, 'none'],
    ];
    for (const [type, body, response, wanted, wantedType] of cases) {
      const headers = type === undefined ? {} : { 'content-type': type };
      const output = await send(() => ({ headers, body }), response === undefined ? {} : { response });
      assert.deepEqual([output.body, output.body_type], [wanted, wantedType], `${type} ${String(body)} ${response}`);
    }
  });
});

describe('a request', () => {
  const build = (input: RequestInput, config: unknown = {}) => buildRequest(input, readConfig(config));
  const headersOf = (input: RequestInput, config?: unknown): Record<string, string> =>
    Object.fromEntries(build(input, config).options.headers as Iterable<[string, string]>);

  it('goes to a URL, or to a path below the base_url and never above it', () => {
    const config = { base_url: 'https://api.test/v1/' };
    const cases: [string, string][] = [
      ['http://other.test/x', 'http://other.test/x'],
      ['things', 'https://api.test/v1/things'],
      ['/things?a=1#b', 'https://api.test/v1/things?a=1#b'],
      ['//evil.test/x', 'https://api.test/v1/evil.test/x'],
      ['@evil.test', 'https://api.test/v1/@evil.test'],
    ];
    for (const [url, wanted] of cases) assert.equal(build({ url }, config).url.href, wanted);
    assert.throws(() => build({ url: 'things' }), /no base_url/);
    assert.throws(() => build({ url: 'http://[' }), /is not a URL/);
  });
  it('tells the secret of the configuration to the base_url only, and less than the call says itself', () => {
    const config = { base_url: 'https://api.test/v1', headers: { 'X-A': '1', 'X-B': '1' }, auth: { token: 't' } };
    assert.deepEqual(headersOf({ url: 'x', headers: { 'x-b': '2' } }, config), {
      'x-a': '1',
      'x-b': '2',
      authorization: 'Bearer t',
    });
    assert.equal(headersOf({ url: 'https://api.test:444/' }, config).authorization, undefined);
    assert.equal(headersOf({ url: 'http://api.test/' }, config).authorization, undefined);
    assert.equal(headersOf({ url: 'x', auth: { type: 'none' } }, config).authorization, undefined);
    assert.equal(headersOf({ url: 'x', headers: { AUTHORIZATION: 'own' } }, config).authorization, 'own');
    const basic = { ...config, auth: { username: 'u' } };
    assert.equal(headersOf({ url: 'x' }, basic).authorization, `Basic ${Buffer.from('u:').toString('base64')}`);
  });
  it('has one body, and a method that has one', () => {
    assert.throws(
      () => build({ url: 'http://a.test/', method: 'POST', text: 'a', form: {} }),
      /text cannot stand beside/,
    );
    assert.throws(() => build({ url: 'http://a.test/', json: null }), /method must be POST/);
  });
  it('takes its bounds from the call, else from the configuration', () => {
    assert.equal(build({ url: 'http://a.test/' }, { timeout_s: 5 }).options.timeoutMs, 5000);
    assert.equal(build({ url: 'http://a.test/', timeout_s: 1.5 }, { timeout_s: 5 }).options.timeoutMs, 1500);
    assert.equal(build({ url: 'http://a.test/', follow_redirects: false }).options.redirect, 'manual');
  });
  it('refuses a configuration that says two things', () => {
    assert.throws(() => readConfig({ auth: { token: 't', username: 'u' } }), /which is it/);
    for (const base of ['ftp://a.test', 'http://u:p@a.test', 'http://a.test/?q', 'a.test']) {
      assert.throws(() => readConfig({ base_url: base }), { kind: 'invalid_config' }, base);
    }
  });
});

describe('placeholders', () => {
  const call = {
    caller: { kind: 'mapping', id: 'pads' },
    timestamp: '2026-01-02T03:04:05.000Z',
    deadline_ms: 1000,
    velocity: 99,
    current_mode: { index: 2, name: 'a b/c' },
  } as const;
  it('stand for what triggered the call', () => {
    const input = {
      url: 'http://a.test/{{mode}}?v={{velocity}}',
      query: { v: '{{velocity}}', n: 1, e: '[{{event_id}}]' },
      headers: { 'x-by': '{{caller}}' },
      json: { v: '{{velocity}}', e: '{{event_id}}', at: ['{{timestamp}}', 'm{{mode_index}}'], '{{mode}}': '{{other}}' },
    };
    assert.deepEqual(expandPlaceholders(input, call), {
      url: 'http://a.test/a%20b%2Fc?v=99',
      query: { v: '99', n: 1, e: '[]' },
      headers: { 'x-by': 'pads' },
      json: { v: 99, e: null, at: ['2026-01-02T03:04:05.000Z', 'm2'], '{{mode}}': '{{other}}' },
    });
  });
  it('are left alone unless expand says so', async () => {
    const sent: string[] = [];
    const host = await start(({ body }) => {
      sent.push(Buffer.from(body).toString());
      return {};
    });
    const input = { url: 'http://a.test/', method: 'POST', text: 'v={{velocity}}' };
    await host.execute('http_request', input, { context: { velocity: 7 } });
    await host.execute('http_request', { ...input, expand: true }, { context: { velocity: 7 } });
    assert.deepEqual(sent, ['v={{velocity}}', 'v=7']);
    await host.shutdown();
  });
});
