import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Transcript } from './dev-session.ts';

/** Options of a test that needs a terminal: skipped, with the reason, where none can be made. */
export const withTerminal: { readonly skip?: string; readonly timeout: number } = {
  // A question that nobody answers stays for minutes.
  timeout: 60_000,
  ...(spawnSync('python3', ['-c', 'import pty']).status === 0
    ? {}
    : { skip: 'python3 makes the terminal, and is missing' }),
};

/** Copies between its own pipes and a terminal, and hands on the exit code. Echo stays as the terminal has it. */
const bridge = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

export interface Terminal {
  /** What the terminal shows: standard output, standard error and echoed keys, in one. */
  readonly screen: Transcript;
  press(keys: string): void;
  readonly exited: Promise<number | null>;
}

/** `mmm` as a process of its own at a real terminal. */
export function mmmAtRealTerminal(
  t: Pick<TestContext, 'after'>,
  options: { readonly home: string; readonly cwd: string },
  ...argv: string[]
): Terminal {
  const program = [
    process.execPath,
    '--import',
    'tsx',
    '--conditions=mmm-source',
    join(import.meta.dirname, 'mmm-process.ts'),
  ];
  const { NODE_V8_COVERAGE: _itsOwn, CI: _ofTheseTests, ...inherited } = process.env;
  const child = spawn('python3', ['-c', bridge, ...program, ...argv], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...inherited, HOME: options.home, MMM_HOME: options.home, NO_COLOR: '1', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  t.after(() => child.kill('SIGKILL'));
  return {
    screen: new Transcript(child.stdout),
    press: (keys) => void child.stdin.write(keys),
    exited: new Promise((resolve) => child.once('exit', resolve)),
  };
}
