// Sends back what it reads: the least two processes can do over two pipes.
process.stdin.on('data', (chunk) => process.stdout.write(chunk));
process.stdin.on('end', () => process.exit(0));
