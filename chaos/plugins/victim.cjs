// Answers each call with its tag and its own name, or does first what the call's "fault" says.
const fs = require('node:fs');
const { spawn } = require('node:child_process');

const name = process.env.MMM_PLUGIN;
const executed = fs.openSync(`${process.env.HOME}/executed`, 'a', 0o600);

function put(descriptor, text) {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += fs.writeSync(descriptor, bytes, offset);
    } catch (error) {
      // The pipe is full; whoever reads it will make room.
      if (error.code !== 'EAGAIN') process.exit(0);
    }
  }
}
const send = (id, result) => put(1, `${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
const answer = (id, tag) => send(id, { output: { plugin: name, tag } });
const wait = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
const end = (words, how) => {
  put(2, `${words}\n`);
  if (typeof how === 'number') process.exit(how);
  process.kill(process.pid, how);
  wait();
};
const repeat = (descriptor, line, times) => {
  const block = line.repeat(1000);
  for (let count = 0; count < times; count += 1) put(descriptor, block);
};
const faults = {
  exit: () => end('asked to exit', 3),
  segv: () => end('about to fault', 'SIGSEGV'),
  abort: () => end('about to abort', 'SIGABRT'),
  kill: () => end('about to be killed', 'SIGKILL'),
  hang: wait,
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  half: () => {
    put(1, '{"jsonrpc":"2.0","id":');
    process.exit(3);
  },
  close: () => {
    fs.closeSync(1);
    wait();
  },
  orphan: () => {
    // `detached` is a session of its own.
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true, stdio: 'inherit' });
    child.unref();
    process.exit(3);
  },
  'flood-stdout': () => repeat(1, 'no message at all, only text\n', 40),
  'flood-stderr': () => repeat(2, 'a line that comes much too often\n', 40),
  'flood-log': () => repeat(1, '{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"again"}}\n', 20),
  lie: (id, tag) => {
    for (const to of [987_654_321, 'nobody', id]) answer(to, tag);
  },
};

require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    if (method === 'execute') {
      const { tag, fault } = params.input;
      put(executed, `${tag}\n`);
      faults[fault]?.(id, tag);
      answer(id, tag);
    } else send(id, method === 'initialize' ? { protocol: { version: 1, features: ['ping'] } } : {});
  });
