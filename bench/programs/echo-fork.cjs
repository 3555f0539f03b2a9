// As echo-lines.cjs, over the channel of child_process.fork.
process.on('message', ({ id, input }) => process.send({ id, output: input }));
process.on('disconnect', () => process.exit(0));
