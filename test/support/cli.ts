import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { run } from '@mmm/cli';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as the one JSON document it must be. */
  json(): Record<string, unknown>;
}

export interface CliOptions {
  readonly home: string;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the command in this process, with an environment of its own. The same code as the real one behind `main.ts`. */
export async function mmm(options: CliOptions, ...argv: string[]): Promise<CliResult> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const [out, err] = [collect(stdout), collect(stderr)];
  const code = await run(argv, {
    stdout,
    stderr,
    stdin: Readable.from([options.stdin ?? '']),
    env: { HOME: options.home, MMM_HOME: options.home, ...options.env },
    cwd: options.cwd ?? options.home,
    resources: join(import.meta.dirname, '../../packages/cli/dist'),
    interrupted: new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  const text = await out;
  return { code, stdout: text, stderr: await err, json: () => JSON.parse(text) as Record<string, unknown> };
}

async function collect(stream: PassThrough): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** A terminal at which somebody answers: each answer is typed when its question has appeared. */
export async function mmmAtTerminal(
  options: Omit<CliOptions, 'stdin'>,
  answers: readonly string[],
  ...argv: string[]
): Promise<CliResult> {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  const screen = Object.assign(new PassThrough(), { isTTY: true });
  const stdout = new PassThrough();
  const [out, shown] = [collect(stdout), typeWhenAsked(screen, terminal, answers)];
  let nowMs = 0;
  const code = await run(argv, {
    stdout,
    stderr: screen,
    stdin: terminal,
    env: { HOME: options.home, MMM_HOME: options.home, NO_COLOR: '1', ...options.env },
    cwd: options.cwd ?? options.home,
    resources: join(import.meta.dirname, '../../packages/cli/dist'),
    interrupted: new AbortController().signal,
    // A second passes with each look at the clock: nobody answers at once.
    clock: { monotonic: () => (nowMs += 1000) },
  });
  stdout.end();
  screen.end();
  const text = await out;
  return { code, stdout: text, stderr: await shown, json: () => JSON.parse(text) as Record<string, unknown> };
}

async function typeWhenAsked(screen: PassThrough, terminal: PassThrough, answers: readonly string[]): Promise<string> {
  const left = [...answers];
  let text = '';
  for await (const chunk of screen) {
    text += String(chunk);
    if (!/\[N\]o: $/.test(text)) continue;
    const answer = left.shift();
    if (answer === undefined) terminal.end();
    else terminal.write(`${answer}\n`);
  }
  return text;
}
