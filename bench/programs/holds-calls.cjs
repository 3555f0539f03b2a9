// Answers everything but calls, which it reports as begun and keeps.
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (method !== 'execute') {
      if (id !== undefined) send({ id, result: {} });
      return;
    }
    process.stderr.write(`working on ${id}\n`);
    const { progress_token: token } = params;
    if (token !== undefined) send({ method: '$/progress', params: { token, value: { kind: 'report' } } });
  });
