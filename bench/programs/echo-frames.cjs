// As echo-lines.cjs, for a host that frames messages by Content-Length.
const end = Buffer.from('\r\n\r\n');
let chunks = [];
let length = 0;
let wanted = 0;
process.stdin.on('data', (chunk) => {
  chunks.push(chunk);
  length += chunk.length;
  if (length < wanted) return;
  let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
  let out = '';
  for (let head = bytes.indexOf(end); head >= 0; head = bytes.indexOf(end)) {
    wanted = head + 4 + Number(/Content-Length: (\d+)/.exec(bytes.latin1Slice(0, head))[1]);
    if (bytes.length < wanted) break;
    const { id, params } = JSON.parse(bytes.utf8Slice(head + 4, wanted));
    bytes = bytes.subarray(wanted);
    wanted = 0;
    const body = JSON.stringify({ jsonrpc: '2.0', id, result: { output: params.input } });
    out += `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }
  chunks = [bytes];
  length = bytes.length;
  if (out !== '') process.stdout.write(out);
});
process.stdin.on('end', () => process.exit(0));
