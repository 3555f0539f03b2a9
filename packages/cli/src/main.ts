import { run } from './program.ts';

const interrupt = new AbortController();
// The first Ctrl-C cancels and stops plugins in order; a second one ends the command at once.
process.once('SIGINT', () => interrupt.abort());
process.once('SIGTERM', () => interrupt.abort());
// A closed pipe (`mmm … | head`) is the reader's choice, not an error.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

void run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  // Bundled into one CommonJS file, whose folder also holds the templates.
  resources: __dirname,
  ownsProcess: true,
  interrupted: interrupt.signal,
}).then((code) => {
  process.exitCode = code;
});
