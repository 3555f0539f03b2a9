import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Transcript } from './dev-session.ts';

const root = join(import.meta.dirname, '../..');
/** By its address, because a daemon starts in another folder. */
const loader = import.meta.resolve('tsx');
const program = ['--import', loader, '--conditions=mmm-source', join(import.meta.dirname, 'mmm-process.ts')];

export interface RunningDaemon {
  readonly pid: number;
  readonly child: ChildProcess;
  /** What it said when it was ready. */
  readonly ready: Record<string, unknown>;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
}

/** `mmm daemon run` as a process of its own, ready. Killed after the test. */
export async function runDaemonProcess(
  t: Pick<TestContext, 'after'>,
  home: string,
  ...argv: string[]
): Promise<RunningDaemon> {
  const { child, stdout, stderr } = mmmProcess(t, home, 'daemon', 'run', '--json', ...argv);
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string | null);
  const line = await stdout.until(/^.*\n/).catch((error: Error) => {
    throw new Error(`${error.message}\n${stderr.text}`);
  });
  return {
    pid: child.pid ?? 0,
    child,
    ready: JSON.parse(line) as Record<string, unknown>,
    ended,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export interface MmmProcess {
  readonly child: ChildProcess;
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  readonly exited: Promise<number | null>;
}

/** The command as a process of its own, whose standard input has nothing. Killed after the test. */
export function mmmProcess(t: Pick<TestContext, 'after'>, home: string, ...argv: string[]): MmmProcess {
  const { NODE_V8_COVERAGE: _itsOwn, ...inherited } = process.env;
  const child = spawn(process.execPath, [...program, ...argv], {
    cwd: root,
    env: { ...inherited, HOME: home, MMM_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return {
    child,
    stdout: new Transcript(child.stdout),
    stderr: new Transcript(child.stderr),
    exited: once(child, 'exit').then(([code]) => code as number | null),
  };
}
