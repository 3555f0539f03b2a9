import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface RawReply {
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** A plugin as a bare child process, unconfined, spoken to in lines: what a plugin is before there is any host. */
export class RawPlugin {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #exited: Promise<unknown[]>;
  stderr = '';

  constructor(command: readonly string[], directory: string) {
    const [file = '', ...args] = command;
    this.#child = spawn(file, args, { cwd: directory, env: { PATH: process.env.PATH ?? '' } });
    this.#exited = once(this.#child, 'close');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
    // A plugin that is gone already must not fail the test in the middle of a write; its exit says more.
    this.#child.stdin.on('error', () => undefined);
  }

  write(bytes: string): void {
    this.#child.stdin.write(bytes);
  }

  /** The next line of stdout. Fails when there is none. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    assert.ok(!done, `the plugin ended instead of answering; stderr: ${this.stderr}`);
    return value;
  }

  /** Sends a request and takes the next line for its answer. */
  async request(id: string | number, method: string, params: object = {}): Promise<RawReply> {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    const reply = JSON.parse(await this.line()) as RawReply & { jsonrpc: string };
    assert.equal(reply.jsonrpc, '2.0');
    assert.equal(reply.id, id);
    return reply;
  }

  initialize(): Promise<RawReply> {
    return this.request(0, 'initialize', {
      protocol: { version: 1, features: ['ping'] },
      host: { name: 'test', version: '1.0.0' },
      plugin: { id: 'test', version: '1.0.0', directory: '/plugin', data_directory: '/data' },
      config: {},
      permissions: {},
      locale: 'en',
    });
  }

  execute(id: string | number, name: string, input: unknown): Promise<RawReply> {
    const context = { caller: { kind: 'host', id: 'test' }, timestamp: '2026-01-01T00:00:00.000Z', deadline_ms: 9000 };
    return this.request(id, 'execute', { capability: { kind: 'tool', name }, input, context });
  }

  /** Closes stdin, as a host does last, and returns how the process ended. */
  async end(): Promise<{ readonly code: unknown; readonly signal: unknown }> {
    this.#child.stdin.end();
    const [code, signal] = await this.#exited;
    return { code, signal };
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
