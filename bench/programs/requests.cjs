// Makes requests as a program does, by the proxy of its environment if there is one, and answers how long one took: the
// median of so many, in milliseconds. "request" is one on a connection that is open, "connection" one on a new one.
const http = require('node:http');
const net = require('node:net');
const { performance } = require('node:perf_hooks');
const proxy = process.env.http_proxy && new URL(process.env.http_proxy);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function answered(options) {
  return new Promise((resolve, reject) => {
    const request = http.get(options, (response) => response.resume().once('end', resolve));
    request.once('error', reject);
  });
}

function tunnel(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(proxy ? Number(proxy.port) : port, '127.0.0.1').once('error', reject);
    if (!proxy) return resolve(socket);
    socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    socket.once('data', () => resolve(socket));
  });
}

const ways = {
  request: (port) =>
    answered(proxy ? { agent, port: proxy.port, path: `http://127.0.0.1:${port}/` } : { agent, port, path: '/' }),
  connection: async (port) => {
    const socket = await tunnel(port);
    await answered({ createConnection: () => socket, path: '/', headers: { host: '127.0.0.1', connection: 'close' } });
    socket.destroy();
  },
};

async function median({ way, port, times }) {
  const tookMs = [];
  for (let time = 0; time < times; time++) {
    const startedMs = performance.now();
    await ways[way](port);
    tookMs.push(performance.now() - startedMs);
  }
  return tookMs.sort((a, b) => a - b)[Math.floor(times / 2)];
}

require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const result =
      method === 'execute' ? { output: { text: String(await median(JSON.parse(params.input.text))) } } : {};
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
  })
  .on('close', () => process.exit(0));
