import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { runDaemonProcess } from '../support/daemon.ts';
import { Transcript } from '../support/dev-session.ts';
import { fixtureHost } from '../support/fixture-host.ts';

interface Served {
  readonly home: string;
  /** Whatever a client did: the daemon still answers others. */
  answers(): Promise<void>;
  dial(): Promise<Socket>;
}

async function served(t: TestContext, ...fixtures: Parameters<typeof fixtureHost>[1]): Promise<Served> {
  const { host, home } = await fixtureHost(t, fixtures);
  await host.close();
  const daemon = await runDaemonProcess(t, home);
  return {
    home,
    answers: async () => {
      const status = await mmm({ home }, 'daemon', 'status', '--json');
      assert.equal(status.json().pid, daemon.pid, status.stderr);
      assert.equal((await mmm({ home }, 'plugin', 'list')).code, 0);
    },
    dial: async () => {
      const socket = connect(join(home, 'run/control.sock'));
      socket.on('error', () => undefined);
      t.after(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    },
  };
}

const request = (id: number, method: string, params: object): string =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
const hello = (home: string) => ({
  ...{ control: 1, mmm: '1.0.0', client: { kind: 'cli', id: 'test' } },
  token: readFileSync(join(home, 'run/control.token'), 'utf8'),
});

test('a client that sends garbage is put out, and nobody else notices', async (t) => {
  const { home, dial, answers } = await served(t);
  const socket = await dial();
  socket.resume();
  const ended = once(socket, 'close');
  for (let line = 0; line < 100; line += 1) socket.write(`GET /${line} HTTP/1.1\r\n`);
  await ended;
  await answers();
  assert.match(readFileSync(join(home, 'logs/mmm.daemon.jsonl'), 'utf8'), /a client was put out/);
});

test('bytes that are no text, and a line without an end, harm nobody', async (t) => {
  const { dial, answers } = await served(t);
  const binary = await dial();
  binary.resume();
  for (let piece = 0; piece < 64; piece += 1) binary.write(Buffer.alloc(64 * 1024, piece));
  const endless = await dial();
  endless.resume();
  const piece = Buffer.alloc(1024 * 1024, 'a');
  endless.write('{"jsonrpc":"2.0","id":1,"method":"');
  for (let sent = 0; sent < 70 && !endless.destroyed; sent += 1) {
    if (!endless.write(piece)) await Promise.race([once(endless, 'drain'), once(endless, 'close')]);
  }
  await answers();
});

test('a client that asks for much and reads nothing holds up nobody else', async (t) => {
  const { dial, answers, home } = await served(t, 'echo');
  for (let client = 0; client < 3; client += 1) {
    const socket = await dial();
    socket.pause();
    socket.write(request(1, 'control/hello', hello(home)));
    for (let id = 2; id < 300; id += 1) socket.write(request(id, 'host/info', { id: 'echo' }));
    socket.write(request(1000, 'host/audit.lines', { progress_token: 'p' }));
  }
  await answers();
});

test('nothing is served before hello, and a peer of another version is told both', async (t) => {
  const { dial, home } = await served(t);
  const socket = await dial();
  const answers = new Transcript(socket);
  socket.write(request(1, 'host/list', {}));
  assert.match(await answers.until(/^.*\n/), /"code":-32050.*Say control\/hello first/);
  socket.write(request(2, 'control/hello', { ...hello(home), control: 99, mmm: '9.9.9' }));
  const refused = await answers.until(/^.*\n/);
  assert.match(refused, /The daemon of this home is mmm 1\.0\.0 \(control 1\), and this is mmm 9\.9\.9 \(control 99\)/);
  socket.write(request(3, 'control/status', {}));
  assert.match(await answers.until(/^.*\n/), /"mmm":"1\.0\.0"/);
  socket.write(request(4, 'host/list', {}));
  assert.match(await answers.until(/^.*\n/), /"code":-32050/);
});

test('whoever can connect and cannot read the folder of the socket is served nothing', async (t) => {
  const { dial, home, answers: others } = await served(t);
  const socket = await dial();
  const answers = new Transcript(socket);
  for (const [id, method] of ['control/hello', 'control/stop', 'control/reload'].entries()) {
    socket.write(request(id, method, { ...hello(home), token: 'f'.repeat(64) }));
    const answer = await answers.until(/^.*\n/);
    assert.match(answer, /"code":-3205[01]|"code":-32602/, answer);
    assert.doesNotMatch(answer, /"result"/);
  }
  socket.write(request(9, 'host/list', {}));
  assert.match(await answers.until(/^.*\n/), /"code":-32050/);
  await others();
});

test('wrong params are refused by name and do nothing', async (t) => {
  const { dial, home } = await served(t, 'echo');
  const socket = await dial();
  const answers = new Transcript(socket);
  socket.write(request(1, 'control/hello', hello(home)));
  await answers.until(/^.*\n/);
  socket.write(request(2, 'host/remove', { id: 'echo', everything: true }));
  assert.match(await answers.until(/^.*\n/), /"code":-32602.*everything/);
  socket.write(request(3, 'host/close', {}));
  assert.match(await answers.until(/^.*\n/), /"code":-32601/);
  // Paths are the client's to make absolute: the daemon is in another folder.
  socket.write(request(4, 'host/install', { path: 'echo' }));
  assert.match(await answers.until(/^.*\n/), /CONFIG_INVALID.*absolute/);
  const { plugins } = (await mmm({ home }, 'plugin', 'list', '--json')).json() as { plugins: unknown[] };
  assert.equal(plugins.length, 1);
});

test('the secret of a key is not given to anybody', async (t) => {
  const { dial, home } = await served(t);
  const socket = await dial();
  const answers = new Transcript(socket);
  socket.write(request(1, 'control/hello', hello(home)));
  await answers.until(/^.*\n/);
  socket.write(request(2, 'host/keys.get', { name: 'test' }));
  const { result } = JSON.parse(await answers.until(/^.*\n/)) as { result: { value: object } };
  assert.deepEqual(Object.keys(result.value).sort(), ['fingerprint', 'keyid', 'name', 'publicKey']);
  const { seed } = JSON.parse(readFileSync(join(home, 'keys/test.json'), 'utf8')) as { seed: string };
  assert.ok(seed.length > 40 && !answers.text.includes(seed));
});

test('more connections than the daemon takes are turned away, and it goes on when they are gone', async (t) => {
  const { dial, answers } = await served(t);
  const sockets = await Promise.all(Array.from({ length: 150 }, dial));
  const turnedAway = sockets.map((socket) => once(socket.resume(), 'close'));
  await Promise.race(turnedAway);
  for (const socket of sockets) socket.destroy();
  await Promise.all(turnedAway);
  await answers();
});
