import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { run } from '@mmm/cli';

/** The text of a stream so far, read from where the last expectation ended. */
export class Transcript {
  #text = '';
  #from = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#wake();
    });
    stream.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Everything that was written. */
  get text(): string {
    return this.#text;
  }

  /** Resolves when the pattern has come; later expectations begin behind it. Fails when the stream ends before. */
  async until(pattern: RegExp): Promise<string> {
    const match = await this.#found(pattern);
    this.#from += match.index + match[0].length;
    return match[0];
  }

  /** The same, but later expectations begin where this one did: for what comes in no certain order. */
  async sometime(pattern: RegExp): Promise<void> {
    await this.#found(pattern);
  }

  async #found(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#text.slice(this.#from));
      if (match !== null) return match;
      if (this.#ended) throw new Error(`It ended without ${String(pattern)}. It said:\n${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export interface DevSession {
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  /** Presses a key of the terminal. */
  press(key: string): void;
  /** Ctrl-C of a terminal that is not in raw mode. */
  interrupt(): void;
  readonly code: Promise<number>;
  /** Whether the terminal still hands out single keys. */
  readonly isRaw: boolean;
}

/** `mmm plugin dev …` in this process on a terminal made of streams; the plugin is a real confined process. */
export function startDev(options: { readonly home: string; readonly cwd: string }, ...argv: string[]): DevSession {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const interrupt = new AbortController();
  let isRaw = false;
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => {
      isRaw = on;
    },
  });
  const code = run(['plugin', 'dev', ...argv], {
    stdout,
    stderr,
    stdin,
    env: { HOME: options.home, MMM_HOME: options.home },
    cwd: options.cwd,
    resources: join(import.meta.dirname, '../../packages/cli/dist'),
    interrupted: interrupt.signal,
  }).finally(() => {
    stdout.end();
    stderr.end();
  });
  return {
    stdout: new Transcript(stdout),
    stderr: new Transcript(stderr),
    press: (key) => stdin.write(key),
    interrupt: () => interrupt.abort(),
    code,
    get isRaw() {
      return isRaw;
    },
  };
}
