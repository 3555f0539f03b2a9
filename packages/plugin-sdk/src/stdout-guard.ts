import { Writable } from 'node:stream';

/** Where the protocol is written once prints are kept out of it. */
export interface GuardedStdout {
  readonly output: Writable;
  /** Gives stdout back to everybody. For tests. */
  release(): void;
}

/**
 * Keeps the protocol clean: from now on everything the plugin or its libraries print on stdout (console.log, info,
 * debug, dir, table, process.stdout.write) comes out on stderr, which is the log. Only the returned stream still
 * reaches stdout. A program it starts with an inherited stdout does too: the host takes such lines for the log.
 */
export function guardStdout(
  stdout: Pick<NodeJS.WriteStream, 'write' | 'on'> = process.stdout,
  stderr: Pick<NodeJS.WriteStream, 'write'> = process.stderr,
): GuardedStdout {
  const write = stdout.write;
  // The stream itself is patched, for libraries that hold on to it; console writes through the stream as well.
  stdout.write = stderr.write.bind(stderr) as typeof write;
  const output = new Writable({
    decodeStrings: false,
    write: (chunk, encoding, done) => {
      write.call(stdout as NodeJS.WriteStream, chunk, encoding, done);
    },
  });
  stdout.on('error', (error) => output.destroy(error));
  return {
    output,
    release: () => {
      stdout.write = write;
    },
  };
}
