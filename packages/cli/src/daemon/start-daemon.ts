import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { type DaemonStatus, type ErrorCode, type ErrorData, MmmError } from '@mmm/protocol';
import type { Io } from '../io.ts';
import { camelCased } from '../snake-case.ts';
import { programCommand } from './program-command.ts';

/** More than its first line ever has. */
const answerBytesMax = 256 * 1024;

/**
 * Starts the daemon as a process of its own, which outlives this one and its terminal, and waits until it is ready.
 * Throws what kept it from that, as the daemon itself said it.
 */
export async function startDaemon(io: Io, home: string, safe: boolean): Promise<DaemonStatus> {
  const { hostLimits, systemClock } = await import('@mmm/host');
  const [program = '', ...words] = programCommand();
  const child = spawn(program, [...words, 'daemon', 'run', '--json', '--home', home, ...(safe ? ['--safe'] : [])], {
    // So that no folder is kept from being removed or unmounted.
    cwd: '/',
    detached: true,
    env: { ...io.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const late = new AbortController();
  const timer = systemClock.after(hostLimits.daemonReadyMs, () => late.abort());
  const onInterrupt = (): void => late.abort();
  io.interrupted.addEventListener('abort', onInterrupt, { once: true });
  try {
    return await firstAnswer(child, late.signal);
  } catch (error) {
    child.kill('SIGTERM');
    throw error;
  } finally {
    timer.cancel();
    io.interrupted.removeEventListener('abort', onInterrupt);
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
}

type Starting = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

function firstAnswer(child: Starting, late: AbortSignal): Promise<DaemonStatus> {
  return new Promise((resolve, reject) => {
    let [printed, complained] = ['', ''];
    const decide = (isOver: boolean): void => {
      const end = printed.indexOf('\n');
      if (end >= 0) settle(printed.slice(0, end), resolve, reject);
      else if (isOver) reject(failed(`it ended before it was ready. ${complained.trim()}`.trim()));
    };
    child.stdout.on('data', (chunk: Buffer) => {
      if (printed.length < answerBytesMax) printed += chunk.toString();
      decide(false);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (complained.length < answerBytesMax) complained += chunk.toString();
    });
    child.once('error', (error) => reject(failed(error.message)));
    child.once('close', () => decide(true));
    late.addEventListener('abort', () => reject(failed('it is not ready in time, or was interrupted')), { once: true });
  });
}

interface FailedDocument {
  readonly error: { readonly name: ErrorCode; readonly message: string; readonly data: unknown };
}

function settle(line: string, resolve: (status: DaemonStatus) => void, reject: (error: Error) => void): void {
  let document: DaemonStatus | FailedDocument;
  try {
    document = camelCased(JSON.parse(line)) as DaemonStatus | FailedDocument;
  } catch {
    reject(failed(`what it printed is not what a daemon prints: ${line.slice(0, 400)}`));
    return;
  }
  if ('error' in document) reject(asError(document as FailedDocument));
  else resolve(document);
}

function asError({ error: { name, message, data } }: FailedDocument): MmmError {
  return new MmmError(name, message, data as ErrorData[ErrorCode]);
}

function failed(reason: string): MmmError<'DAEMON_FAILED'> {
  return new MmmError('DAEMON_FAILED', `The daemon could not be started: ${reason}`, { reason });
}
