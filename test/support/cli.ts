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
