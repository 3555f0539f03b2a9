// A trigger that tells an event when one tool is called, and another tool, for a mapping, that prints. Events are kept
// in memory until they are acknowledged.
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
let open;
let next = 0;
let kept = [];
const answer = () => {
  if (open === undefined || kept.length === 0) return;
  send({ id: open, result: { events: kept, cursor: String(next) } });
  open = undefined;
};
require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    if (method === 'poll_events') {
      open = id;
      kept = kept.filter((event) => Number(event.id) > Number(params.ack ?? 0));
      answer();
      return;
    }
    if (method === 'execute' && params.capability.name === 'ring') {
      next += 1;
      const data = { next };
      kept.push({ id: String(next), instance: 'bench', type: 'rings.rang', data, timestamp: '2026-01-01T00:00:00Z' });
      answer();
    }
    if (method === 'execute' && params.capability.name === 'act') process.stderr.write('acted\n');
    send({ id, result: method === 'execute' ? { output: params.input } : {} });
  });
