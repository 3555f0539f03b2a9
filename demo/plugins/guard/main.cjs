// A hook without an SDK: says no to a commit that brings a private key. It is told names, never contents.
const answer = (id, result) => console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const files = method === 'handle_event' ? params.event.data.files : [];
    const key = files.find(({ path }) => path.endsWith('.pem'));
    answer(id, key === undefined ? {} : { veto: { reason: `${key.path} looks like a private key` } });
  });
