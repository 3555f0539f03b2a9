import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { httpListener, tcpListener } from '../support/listener.ts';
import { networked, networkedWith, networkWorld } from '../support/network-world.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

const tls = join(import.meta.dirname, '../fixtures/tls');

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

test(
  'curl finds the proxy by itself: for http, for https, and by SOCKS for everything else',
  networkedWith('curl'),
  async (t) => {
    const web = await httpListener(
      t,
      (request, response) => void response.end(`${request.headers.host}${request.url}`),
    );
    const key = { cert: readFileSync(join(tls, 'certificate.pem')), key: readFileSync(join(tls, 'key.pem')) };
    const secure = await listening(
      t,
      createHttpsServer(key, (_request, response) => void response.end('secure')),
    );
    const gopher = await listening(
      t,
      createServer((socket) => {
        // The selector and the end of its line may come apart.
        let line = '';
        socket.setEncoding('utf8').on('data', (text) => {
          line += text;
          if (line.endsWith('\n')) socket.end(`gopher ${line}`);
        });
      }),
    );
    const secret = await tcpListener(t);
    const { plugins } = await networkWorld(t, {
      curler: {
        hosts: [`web.test:${web.port}`, `granted.test:${secure}`, `gopher.test:${gopher}`],
        commands: ['curl'],
        files: { 'certificate.pem': join(tls, 'certificate.pem') },
      },
    });
    const curl = async (...args: string[]): Promise<Ran> =>
      (await plugins.curler?.ask<Ran>('run', ['curl', '--silent', '--show-error', '--max-time', '10', ...args])) as Ran;
    assert.equal((await curl(`http://web.test:${web.port}/x`)).stdout, `web.test:${web.port}/x`);
    const https = await curl('--cacert', '/plugin/certificate.pem', `https://granted.test:${secure}/`);
    assert.deepEqual([https.stdout, https.code], ['secure', 0], https.stderr);
    const other = await curl(`gopher://gopher.test:${gopher}/_hello`);
    assert.deepEqual([other.stdout, other.code], ['gopher hello\n', 0], other.stderr);

    const refused = await curl(`http://other.test:${secret.port}/`);
    assert.match(refused.stdout, /^mmm: http:\/\/other\.test:\d+ is not among the hosts/);
    assert.equal((await curl(`https://other.test:${secret.port}/`)).code, 56, 'CONNECT tunnel failed, response 403');
    assert.equal((await curl(`gopher://other.test:${secret.port}/_x`)).code, 97, 'refused by the SOCKS proxy');
    assert.equal((await curl('--noproxy', '*', `http://127.0.0.1:${secret.port}/`)).code, 7, 'nothing is there');
    assert.equal(secret.received(), 0);
  },
);

test('Python takes the proxy for the web alone: the other breaks libraries that lack SOCKS', networked, async (t) => {
  const { plugins } = await networkWorld(t, { asker: { hosts: ['web.test:80'] } });
  const proxies = await plugins.asker?.ask<Record<string, string>>('proxies');
  assert.deepEqual([proxies?.http, proxies?.all], ['http://127.0.0.1:3128', undefined]);
});

/** As much of MQTT 3.1.1 as it takes to be given one message; `published` is told of each. */
function mqttBroker(published: (message: string) => void): Server {
  return createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      bytes = Buffer.concat([bytes, data]);
      for (let size = packetBytes(bytes); bytes.length >= size; size = packetBytes(bytes)) {
        const packet = bytes.subarray(0, size);
        bytes = bytes.subarray(size);
        if (packet[0] === 0x10) socket.write(Buffer.from([0x20, 2, 0, 0]));
        if (packet[0] !== 0x30) continue;
        const topicEnd = 4 + packet.readUInt16BE(2);
        published(`${packet.subarray(4, topicEnd)}: ${packet.subarray(topicEnd)}`);
      }
    });
  });
}

/** Of the first packet; the short ones of this test have their length in one byte. */
function packetBytes(bytes: Buffer): number {
  return bytes.length < 2 ? 2 : 2 + (bytes[1] ?? 0);
}

test('an MQTT client publishes through the proxy as if there were none', networkedWith('curl'), async (t) => {
  const messages: string[] = [];
  let arrived = (): void => undefined;
  const port = await listening(
    t,
    mqttBroker((message) => {
      messages.push(message);
      arrived();
    }),
  );
  const { plugins } = await networkWorld(t, { sensor: { hosts: [`mqtt://broker.test:${port}`], commands: ['curl'] } });
  const publish = ['curl', '--silent', '--show-error', '--max-time', '10', '--data', '21.5'];
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const ran = await plugins.sensor?.ask<Ran>('run', [...publish, `mqtt://broker.test:${port}/room`]);
  assert.equal(ran?.code, 0, ran?.stderr);
  // The client does not wait for an answer to what it published.
  await first;
  const elsewhere = await plugins.sensor?.ask<Ran>('run', [...publish, `mqtt://other.test:${port}/room`]);
  assert.equal(elsewhere?.code, 97, elsewhere?.stderr);
  assert.deepEqual(messages, ['room: 21.5']);
});

test('ssh reaches its host with a proxy command', networkedWith('ssh', 'socat', 'sh'), async (t) => {
  const heard: string[] = [];
  const port = await listening(
    t,
    createServer((socket) => {
      socket.write('SSH-2.0-stub\r\n');
      socket.once('data', (data) => {
        heard.push(data.toString('latin1'));
        socket.destroy();
      });
    }),
  );
  const { plugins } = await networkWorld(t, {
    admin: { hosts: [`git.test:${port}`], commands: ['ssh', 'socat', 'sh'] },
  });
  const ssh = async (name: string): Promise<Ran | undefined> =>
    await plugins.admin?.ask<Ran>('run', [
      ...['ssh', '-F', 'none', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-p', String(port)],
      ...['-o', 'ProxyCommand=socat - PROXY:127.0.0.1:%h:%p,proxyport=3128', `user@${name}`, 'true'],
    ]);
  const ran = await ssh('git.test');
  assert.match(heard[0] ?? '', /^SSH-2\.0-OpenSSH/, ran?.stderr);
  const refused = await ssh('other.test');
  assert.equal(refused?.code, 255);
  assert.match(refused?.stderr ?? '', /403|Forbidden/i);
  assert.equal(heard.length, 1);
});

test(
  'two plugins of one host reach their own hosts by SOCKS and by HTTP, and not those of the other',
  networked,
  async (t) => {
    const ports = await Promise.all(
      ['first', 'second'].map((word) =>
        listening(
          t,
          createServer((socket) => {
            // A web client hears an answer, and who says only "?" the word.
            socket.once('data', (data) =>
              socket.end(data.toString() === '?' ? word : `HTTP/1.0 200 OK\r\n\r\n${word}`),
            );
          }),
        ),
      ),
    );
    const [one = 0, two = 0] = ports;
    const { host, plugins } = await networkWorld(t, {
      first: { hosts: [`first.test:${one}`] },
      second: { hosts: [`second.test:${two}`] },
    });
    const { first, second } = plugins;
    assert.ok(first !== undefined && second !== undefined);
    await Promise.all([first.handle.start(), second.handle.start()]);
    for (const [asker, mine, myPort, yours, yourPort] of [
      [first, 'first', one, 'second', two],
      [second, 'second', two, 'first', one],
    ] as const) {
      assert.equal(await asker.ask('socks', `${mine}.test`, myPort, '?'), mine);
      assert.equal(await asker.ask('url', `http://${mine}.test:${myPort}/`), `200 ${mine}`);
      assert.equal(await asker.ask('socks', `${yours}.test`, yourPort, '?'), 'reply 2');
      assert.match(await asker.ask('url', `http://${yours}.test:${yourPort}/`), /^403 mmm: /);
      assert.equal(await asker.ask('socks', '127.0.0.1', yourPort, '?'), 'reply 2');
      await asker.handle.stop();
      const said = host.audit
        .list({ plugin: mine })
        .map(({ action, detail }) => [action, detail.network ?? detail.refused]);
      assert.deepEqual(
        said.filter(([action]) => ['connect', 'refused', 'network'].includes(String(action))),
        [
          ['connect', `${mine}.test:${myPort}`],
          ['connect', `http://${mine}.test:${myPort}`],
          ['refused', `${yours}.test:${yourPort}`],
          ['refused', `http://${yours}.test:${yourPort}`],
          ['refused', `127.0.0.1:${yourPort}`],
          ['network', 3],
        ],
      );
    }
  },
);

test('a redirect is another request: it is followed to a granted host and to no other', networked, async (t) => {
  const secret = await tcpListener(t);
  const web = await httpListener(t, (request, response) => {
    const way: Readonly<Record<string, string>> = {
      '/granted': `http://web.test:${web.port}/end`,
      '/elsewhere': `http://other.test:${secret.port}/`,
      '/address': `http://127.0.0.1:${secret.port}/`,
      '/number': `http://2130706433:${secret.port}/`,
      '/chain': `http://web.test:${web.port}/elsewhere`,
      '/metadata': 'http://169.254.169.254/latest/meta-data/',
      '/named': 'http://metadata.test/latest/meta-data/',
      '/mapped': 'http://mapped.test/',
    };
    const location = way[request.url ?? ''];
    if (location === undefined) response.end('the end');
    else response.writeHead(302, { location }).end();
  });
  const { plugins } = await networkWorld(t, {
    walker: { hosts: [`web.test:${web.port}`, 'metadata.test:80', 'mapped.test:80'] },
  });
  const open = async (path: string): Promise<string | undefined> =>
    await plugins.walker?.ask('url', `http://web.test:${web.port}${path}`);
  assert.equal(await open('/granted'), '200 the end');
  for (const path of ['/elsewhere', '/address', '/number', '/chain', '/metadata', '/named', '/mapped']) {
    assert.match((await open(path)) ?? '', /^403 mmm: /, path);
  }
  assert.equal(secret.received(), 0);
});

test('all of it holds for an ordinary user', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
