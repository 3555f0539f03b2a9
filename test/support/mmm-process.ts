// The command as a process of its own, from source: what main.ts does, which is bundled into one CommonJS file.
import { join } from 'node:path';
import { run } from '@mmm/cli';

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
process.once('SIGTERM', () => interrupt.abort());
process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  resources: join(import.meta.dirname, '../../packages/cli/dist'),
  ownsProcess: true,
  interrupted: interrupt.signal,
});
