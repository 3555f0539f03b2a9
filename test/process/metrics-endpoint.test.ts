import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { type RequestOptions, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHost } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { fixtureHost } from '../support/fixture-host.ts';
import { parsePrometheus } from '../support/prometheus-parser.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
function ask(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ path: '/metrics', agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body }),
      );
    });
    asked.once('error', reject).end();
  });
}

test('a host serves its metrics where its program says, and answers nothing else', async (t) => {
  const { host } = await fixtureHost(t, ['echo'], { metrics: { listen: '127.0.0.1:0' } });
  const { port } = new URL(host.metricsAddress ?? '');
  const at = { host: '127.0.0.1', port };
  const scraped = await ask(at);
  assert.equal(scraped.status, 200);
  assert.equal(scraped.type, 'text/plain; version=0.0.4; charset=utf-8');
  assert.ok(parsePrometheus(scraped.body).has('mmm_plugin_state'));
  assert.equal((await ask({ ...at, path: '/' })).status, 404);
  assert.equal((await ask({ ...at, path: '/metrics/../state' })).status, 404);
  assert.equal((await ask({ ...at, method: 'POST' })).status, 405);
  // A page that gave its own name this address asks by that name.
  assert.equal((await ask({ ...at, headers: { host: 'evil.example' } })).status, 403);
  await host.close();
  await assert.rejects(ask(at), { code: 'ECONNREFUSED' });
});

test('the settings name a unix socket, for its user alone and not taken from who listens', async (t) => {
  const path = join(tempFolder(t), 'metrics.sock');
  const settings = `[metrics]\nlisten = "${path}"`;
  const { host, home } = await fixtureHost(t, ['echo'], { settings, metrics: {} });
  assert.equal(host.metricsAddress, path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((await ask({ socketPath: path, headers: { host: 'localhost' } })).status, 200);
  await assert.rejects(createHost({ home, metrics: {} }), (error) => MmmError.is(error, 'CONFIG_INVALID'));
  const quiet = await createHost({ home });
  t.after(() => quiet.close());
  assert.equal(quiet.metricsAddress, null, 'a host that was not told to serves nothing');
});

test('a place that is taken, or is none, is named', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { readonly port: number };
  const home = join(tempFolder(t), 'home');
  for (const [listen, words] of [
    [`127.0.0.1:${port}`, /cannot be served on 127\.0\.0\.1:\d+: .*EADDRINUSE/],
    ['9464', /ADDRESS:PORT/],
  ] as const) {
    await assert.rejects(createHost({ home, metrics: { listen } }), (error: unknown) => {
      assert.ok(MmmError.is(error, 'CONFIG_INVALID'));
      assert.match(error.message, words);
      return true;
    });
  }
});
