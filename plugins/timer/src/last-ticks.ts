import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What was told last, by instance: kept in the plugin's own folder, so that missed ticks are known after a restart. */
export class LastTicks {
  readonly #directory: string;

  constructor(dataDirectory: string) {
    this.#directory = join(dataDirectory, 'ticks');
  }

  /** Undefined when there was none, or the file cannot be read: then nothing counts as missed. */
  read(instance: string): number | undefined {
    try {
      const { last } = JSON.parse(readFileSync(this.#file(instance), 'utf8')) as { last?: unknown };
      return typeof last === 'number' && Number.isFinite(last) ? last : undefined;
    } catch {
      return undefined;
    }
  }

  /** Beside the file and then in its place: a crash leaves the one or the other. */
  write(instance: string, last: number): void {
    mkdirSync(this.#directory, { recursive: true });
    const file = this.#file(instance);
    writeFileSync(`${file}.new`, JSON.stringify({ last }));
    renameSync(`${file}.new`, file);
  }

  #file(instance: string): string {
    return join(this.#directory, `${encodeURIComponent(instance)}.json`);
  }
}
