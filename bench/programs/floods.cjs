// Writes one kind of line for `ms` milliseconds, as fast as it is taken, then answers the call.
const lines = {
  log: '{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"again","fields":{}}}\n',
  unknown: '{"jsonrpc":"2.0","method":"no_such_thing","params":{}}\n',
  requests: '{"jsonrpc":"2.0","id":1,"method":"no_such_thing","params":{}}\n',
  garbage: 'no message at all, only text\n',
  stderr: 'a line of a log that comes much too often\n',
};
const flood = (what, ms, done) => {
  const stream = what === 'stderr' ? process.stderr : process.stdout;
  const block = Buffer.from(lines[what].repeat(Math.ceil(65_536 / lines[what].length)));
  const endsMs = performance.now() + ms;
  const more = () => {
    if (performance.now() >= endsMs) done();
    else if (stream.write(block)) setImmediate(more);
    else stream.once('drain', more);
  };
  more();
};
require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    const answer = (result) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
    if (method === undefined || id === undefined) return;
    if (method !== 'execute') answer({});
    else flood(params.input.what, params.input.ms, () => answer({ output: null }));
  })
  .on('close', () => process.exit(0));
