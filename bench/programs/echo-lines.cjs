// The plugin that every host with one JSON message a line talks to, so that only the hosts differ: plain Node, one
// parse and one stringify a message, one write for all answers of a chunk.
const send = (id, result) => `${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`;
const answers = {
  execute: ({ input }) => ({ output: input }),
  'tools/call': ({ arguments: { text } }) => ({ content: [{ type: 'text', text }] }),
  // An MCP client reads its version from the answer; mmm takes an empty one.
  initialize: ({ protocolVersion }) =>
    protocolVersion === undefined
      ? {}
      : { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'echo', version: '1.0.0' } },
};
let pieces = [];
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const last = chunk.lastIndexOf('\n');
  if (last < 0) {
    pieces.push(chunk);
    return;
  }
  const text = pieces.length === 0 ? chunk : pieces.join('') + chunk;
  pieces = last === chunk.length - 1 ? [] : [chunk.slice(last + 1)];
  let from = 0;
  let out = '';
  for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
    const { id, method, params } = JSON.parse(text.slice(from, to));
    from = to + 1;
    if (id !== undefined) out += send(id, answers[method]?.(params) ?? {});
  }
  process.stdout.write(out);
});
process.stdin.on('end', () => process.exit(0));
