// Runs one TypeScript file from source: `node scripts/run.mjs FILE [arguments]`, with its exit code and signals.
import { spawn } from 'node:child_process';

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  console.error('Usage: node scripts/run.mjs FILE [arguments]');
  process.exit(2);
}

const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', file, ...rest], {
  stdio: 'inherit',
});
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of forwarded) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to both processes itself; a second one would look like an impatient user.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('error', (error) => {
  console.error(`${file} could not be started: ${error.message}`);
  process.exitCode = 1;
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  for (const name of forwarded) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
