// A plugin needs no SDK: one JSON message a line on stdin and stdout.
const fs = require('node:fs');
const net = require('node:net');

const reach = {
  file: (path) => `${fs.readFileSync(path, 'utf8').length} characters read`,
  variable: (name) => {
    if (process.env[name] === undefined) throw new Error('not set');
    return `${process.env[name].length} characters read`;
  },
  connection: (target) =>
    new Promise((resolve, reject) => {
      const [host, port] = target.split(':');
      const socket = net.connect({ host, port: Number(port) });
      socket.once('connect', () => {
        socket.destroy();
        resolve('connected');
      });
      socket.once('error', reject);
    }),
};

async function answer({ id, method, params }) {
  if (method === 'execute' && params.capability.name === 'wait') {
    send({
      method: '$/progress',
      params: { token: params.progress_token, value: { kind: 'report', message: 'working' } },
    });
    return;
  }
  if (method === 'execute') {
    const { what, target } = params.input;
    try {
      send({ id, result: { output: { reached: true, detail: await reach[what](target) } } });
    } catch (error) {
      send({ id, result: { output: { reached: false, detail: error.code ?? error.message } } });
    }
    return;
  }
  if (id !== undefined) send({ id, result: {} });
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

let rest = '';
process.stdin.setEncoding('utf8').on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) void answer(JSON.parse(line));
});
