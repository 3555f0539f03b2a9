import type { HostOptions } from '@mmm/host';

/** The lines of all plugins' logs, to be waited for. */
export class LogLines {
  readonly lines: { readonly plugin: string; readonly message: string }[] = [];
  #waiting: (() => void)[] = [];

  readonly onLog: NonNullable<HostOptions['onLog']> = (plugin, { message }) => {
    this.lines.push({ plugin, message });
    for (const look of this.#waiting.splice(0)) look();
  };

  /** Those of one plugin that match, as soon as there are so many. A test that waits in vain ends with its runner. */
  async matching(plugin: string, pattern: RegExp, count = 1): Promise<readonly string[]> {
    for (;;) {
      const found = this.lines.filter((line) => line.plugin === plugin && pattern.test(line.message));
      if (found.length >= count) return found.map(({ message }) => message);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
