// Takes seconds: the plugin runs confined, and its requests go out through the host.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Host, signPlugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { closedPort, friendlyServer, type Listening, rudeServer, silentListener } from '../support/http-world.ts';
import { shippedPlugin } from '../support/shipped-plugin.ts';

interface Output {
  readonly result: string;
  readonly status: number | null;
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: unknown;
  readonly body_type: string;
  readonly retry_after_s: number | null;
  readonly error: { readonly message: string; readonly detail: string | null } | null;
}
interface Echo {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Place {
  readonly host: Host;
  send(input: Record<string, unknown>): Promise<Output>;
}

/** A host with the plugin, its manifest asking for these hosts, each on this machine. */
async function place(t: TestContext, hosts: readonly string[]): Promise<Place> {
  const { host, directory } = await fixtureHost(t, []);
  const folder = await shippedPlugin('http_request', directory);
  const file = join(folder, 'plugin.toml');
  const entries = hosts.map((name) => `{ host = "${name}", private = true, reason = "The test" }`).join(', ');
  const manifest = readFileSync(file, 'utf8').replace(/^network = \[[\s\S]*?^\]/m, `network = [${entries}]`);
  writeFileSync(file, manifest);
  await signPlugin(folder, await host.keys.get());
  const report = await host.install(folder, { grant: hosts.map((name) => `network=${name}!private`) });
  assert.deepEqual(report.missing, []);
  const plugin = await host.plugin('http_request');
  return { host, send: async (input) => (await plugin.execute('http_request', input)).output as Output };
}

const at = ({ port }: Listening, path: string): string => `http://127.0.0.1:${port}${path}`;
const grantOf = ({ port }: Listening): string => `http://127.0.0.1:${port}`;

test('every status is a result of its own', confined, async (t) => {
  const server = await friendlyServer(t);
  const { send } = await place(t, [grantOf(server)]);
  for (const [status, result] of [
    [200, 'success'],
    [204, 'success'],
    [304, 'redirect'],
    [400, 'client_error'],
    [404, 'client_error'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [503, 'server_error'],
  ] as const) {
    const output = await send({ url: at(server, `/status/${status}`) });
    assert.deepEqual([output.status, output.result, output.error], [status, result, null]);
  }
  const waits = await Promise.all(
    ['7', 'Sun, 06 Nov 1994 08:50:07 GMT', 'soon'].map((after) =>
      send({ url: at(server, '/retry/429'), query: { after, now: 'Sun, 06 Nov 1994 08:49:37 GMT' } }),
    ),
  );
  assert.deepEqual(
    waits.map(({ result, retry_after_s: wait }) => [result, wait]),
    [
      ['rate_limited', 7],
      ['rate_limited', 30],
      ['rate_limited', null],
    ],
  );
});

test('methods, queries, headers, bodies and auth arrive as they were given', confined, async (t) => {
  const server = await friendlyServer(t);
  const { send } = await place(t, [grantOf(server)]);
  const echo = async (input: Record<string, unknown>): Promise<Echo> => {
    const output = await send({ url: at(server, '/echo?a=1'), ...input });
    assert.deepEqual([output.result, output.body_type], ['success', 'json'], JSON.stringify(output));
    return output.body as Echo;
  };
  const got = await echo({ query: { b: ['x y', 2], 'ü&': true }, headers: { 'X-Own': 'mine' } });
  assert.deepEqual([got.method, got.query, got.headers['x-own']], ['GET', '?a=1&b=x+y&b=2&%C3%BC%26=true', 'mine']);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    const json = await echo({ method, json: { a: [1, null, 'ü'] } });
    assert.deepEqual([json.method, json.headers['content-type']], [method, 'application/json']);
    assert.equal(Buffer.from(json.body, 'latin1').toString(), '{"a":[1,null,"ü"]}');
  }
  const form = await echo({ method: 'POST', form: { name: 'A & B', n: [1, 2] } });
  assert.match(form.headers['content-type'] ?? '', /^application\/x-www-form-urlencoded/);
  assert.equal(form.body, 'name=A+%26+B&n=1&n=2');
  assert.equal((await echo({ method: 'POST', text: 'plain' })).body, 'plain');
  assert.equal((await echo({ method: 'POST', base64: 'AP8=' })).body, '\u0000\u00ff');
  const basic = await echo({ auth: { type: 'basic', username: 'ü', password: 'a:b' } });
  assert.equal(basic.headers.authorization, `Basic ${Buffer.from('ü:a:b').toString('base64')}`);
  assert.equal((await echo({ auth: { type: 'bearer', token: 't0ken' } })).headers.authorization, 'Bearer t0ken');
  const head = await send({ url: at(server, '/status/200'), method: 'HEAD' });
  assert.deepEqual([head.result, head.body], ['success', null]);
  for (const [wrong, problem] of [
    [{ url: at(server, '/echo'), method: 'POST', json: 1, text: 'x' }, /text cannot stand beside json/],
    [{ url: at(server, '/echo'), text: 'x' }, /method must be POST/],
    [{ url: '/echo' }, /no base_url/],
    [{ url: 'file:///etc/passwd' }, /Only http and https/],
    [{ url: at(server, '/echo').replace('http://', 'http://user:pass@') }, /user name or password/],
  ] as const) {
    await assert.rejects(send(wrong), (error: unknown) => {
      assert.ok(MmmError.is(error, 'CALL_REJECTED') && error.data.rpcCode === -32602, String(error));
      assert.match(error.message, problem);
      return true;
    });
  }
});

test('bodies come as JSON, text or bytes, decompressed and bounded', confined, async (t) => {
  const server = await friendlyServer(t);
  const { send } = await place(t, [grantOf(server)]);
  for (const coding of ['gzip', 'deflate', 'br']) {
    const { body, body_type: type } = await send({ url: at(server, `/${coding}`) });
    assert.deepEqual([type, body], ['json', { text: 'ü'.repeat(5000) }], coding);
    const bomb = await send({ url: at(server, `/${coding}/bomb`) });
    assert.deepEqual([bomb.result, bomb.body], ['too_large', null], coding);
  }
  const latin1 = await send({ url: at(server, '/latin1') });
  assert.deepEqual([latin1.body, latin1.body_type], ['grün', 'text']);
  const bytes = await send({ url: at(server, '/bytes/3') });
  assert.deepEqual([bytes.body, bytes.body_type], ['////', 'base64']);
  const large = await send({ url: at(server, '/bytes/4194304'), max_bytes: 4_194_304 });
  assert.equal(Buffer.from(String(large.body), 'base64').length, 4_194_304);
  const cut = await send({ url: at(server, '/bytes/1000'), max_bytes: 999 });
  assert.deepEqual([cut.result, cut.status, cut.body], ['too_large', 200, null]);
  const cookies = await send({ url: at(server, '/cookies') });
  assert.deepEqual(cookies.headers['set-cookie'], ['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2']);
});

test('a redirect to a host that was not granted is refused, and that host hears nothing', confined, async (t) => {
  const stranger = await silentListener(t);
  const other = await friendlyServer(t);
  const server = await friendlyServer(t, {
    near: '/echo',
    far: at(other, '/echo'),
    stranger: at(stranger, '/'),
    name: `http://localhost:${stranger.port}/`,
    decimal: `http://2130706433:${stranger.port}/`,
    metadata: 'http://169.254.169.254/latest/meta-data/',
    file: 'file:///etc/passwd',
  });
  const { send } = await place(t, [grantOf(server), grantOf(other)]);
  const auth = { type: 'bearer', token: 't0ken' };
  const near = await send({ url: at(server, '/redirect/near'), auth });
  assert.deepEqual([near.result, near.redirected, near.url], ['success', true, at(server, '/echo')]);
  assert.equal((near.body as Echo).headers.authorization, 'Bearer t0ken');
  const far = await send({ url: at(server, '/redirect/far'), auth, method: 'POST', json: 1 });
  assert.deepEqual([far.url, (far.body as Echo).method], [at(other, '/echo'), 'GET']);
  assert.equal((far.body as Echo).headers.authorization, undefined);
  for (const target of ['stranger', 'name', 'decimal', 'metadata']) {
    const denied = await send({ url: at(server, `/redirect/${target}`), auth });
    assert.deepEqual([denied.result, denied.status], ['denied', null], JSON.stringify(denied));
    assert.notEqual(denied.error?.message, '');
  }
  for (const url of [at(stranger, '/'), 'http://169.254.169.254/', `http://localhost:${server.port}/`]) {
    assert.equal((await send({ url })).result, 'denied', url);
  }
  assert.equal(stranger.connections(), 0);
  await assert.rejects(send({ url: at(server, '/redirect/file') }), /Only http and https/);
  const loop = await send({ url: at(server, '/redirect/loop'), max_redirects: 3 });
  assert.deepEqual([loop.result, loop.status], ['redirect', null]);
  const manual = await send({ url: at(server, '/redirect/stranger'), follow_redirects: false });
  assert.deepEqual([manual.result, manual.status, manual.headers.location], ['redirect', 302, at(stranger, '/')]);
});

test('whatever a server does wrong is a result, and the next request works', confined, async (t) => {
  const rude = await rudeServer(t);
  const server = await friendlyServer(t);
  const port = await closedPort(t);
  const hosts = [grantOf(rude), grantOf(server), `127.0.0.1:${port}`, 'no-such-host.invalid:80'];
  const { send } = await place(t, hosts);
  for (const [path, result] of [
    ['/cut', 'connection'],
    ['/reset', 'connection'],
    ['/chunk', 'connection'],
    ['/garbage', 'connection'],
    ['/close', 'connection'],
    ['/liar', 'connection'],
    ['/headers', 'connection'],
    ['/endless', 'too_large'],
  ] as const) {
    const output = await send({ url: at(rude, path), timeout_s: 20 });
    assert.deepEqual([path, output.result, output.status], [path, result, null], JSON.stringify(output));
    assert.equal((await send({ url: at(server, '/status/200') })).result, 'success', `after ${path}`);
  }
  for (const url of [at(rude, '/never'), at(rude, '/half'), at(server, '/silence')]) {
    assert.equal((await send({ url, timeout_s: 0.3 })).result, 'timeout', url);
  }
  const refused = await send({ url: `http://127.0.0.1:${port}/` });
  assert.deepEqual([refused.result, refused.error?.detail], ['connection', 'refused']);
  const unknown = await send({ url: 'http://no-such-host.invalid/' });
  assert.deepEqual([unknown.result, unknown.error?.detail], ['connection', 'dns']);
});

test(
  'the token of the configuration goes to the base_url only, and what triggered the call into the body',
  confined,
  async (t) => {
    const other = await friendlyServer(t);
    const server = await friendlyServer(t, { far: at(other, '/echo') });
    const { host, send } = await place(t, [grantOf(server), grantOf(other)]);
    await host.setConfig('http_request', {
      set: { base_url: at(server, '/echo/v1'), headers: { 'x-from': 'mmm' }, auth: { token: 's3cret-t0ken' } },
    });
    const near = (await send({ url: 'things/1', query: { a: 1 } })).body as Echo;
    assert.deepEqual([near.path, near.query, near.headers['x-from']], ['/echo/v1/things/1', '?a=1', 'mmm']);
    assert.equal(near.headers.authorization, 'Bearer s3cret-t0ken');
    for (const url of [at(other, '/echo'), at(server, '/redirect/far')]) {
      assert.equal(((await send({ url })).body as Echo).headers.authorization, undefined, url);
    }
    const plugin = await host.plugin('http_request');
    const input = {
      url: 'pad',
      method: 'POST',
      json: { hit: '{{velocity}}', say: 'in {{mode}}', not: '{{x}}' },
      expand: true,
    };
    const context = { velocity: 99, current_mode: { index: 1, name: 'mix' } };
    const { output } = await plugin.execute('http_request', input, { context });
    assert.deepEqual(JSON.parse(((output as Output).body as Echo).body), { hit: 99, say: 'in mix', not: '{{x}}' });
    assert.doesNotMatch(JSON.stringify([await host.logs('http_request'), await host.info('http_request')]), /s3cret/);
  },
);
