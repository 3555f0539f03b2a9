// Answers every request with a few bytes: in a process of its own, so that what is measured does not wait for it.
const server = require('node:http').createServer((_request, response) => response.end('hello'));
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
process.stdin.resume().on('end', () => process.exit(0));
