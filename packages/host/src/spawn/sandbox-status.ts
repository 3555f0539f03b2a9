import type { Readable } from 'node:stream';

/** Far more than bubblewrap ever writes; a sandbox that writes more is not believed. */
const statusBytesMax = 16 * 1024;

/** What bubblewrap, and our helper in its stead, report on the status descriptor: one JSON document a line. */
export class SandboxStatus {
  #text = '';
  /** Resolves with the first process of the sandbox, or with undefined when it ended without one. */
  readonly started: Promise<number | undefined>;

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    this.started = new Promise((resolve) => {
      stream.on('data', (text: string) => {
        if (this.#text.length < statusBytesMax) this.#text += text;
        if (this.innerPid !== undefined) resolve(this.innerPid);
      });
      stream.on('close', () => resolve(this.innerPid));
    });
    stream.on('error', () => undefined);
  }

  /** The first process of the sandbox's own namespace, which leads the plugin's session; undefined before it exists. */
  get innerPid(): number | undefined {
    return this.#number('child-pid') ?? this.pluginPid;
  }

  /** Reported where the plugin is no child of a first process, but that process itself. */
  get pluginPid(): number | undefined {
    return this.#number('plugin-pid');
  }

  /** Reported only when the command inside was started; undefined when the sandbox itself failed. */
  get exitCode(): number | undefined {
    return this.#number('exit-code');
  }

  #number(key: string): number | undefined {
    const match = new RegExp(`"${key}"\\s*:\\s*(\\d+)`).exec(this.#text);
    return match?.[1] === undefined ? undefined : Number(match[1]);
  }
}
