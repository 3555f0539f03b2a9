import { readSettings, type Settings } from './settings.ts';

/** The settings in force, which may be read again while the host runs. */
export class LiveSettings {
  #current: Settings;
  readonly #listeners = new Set<(settings: Settings) => void>();
  #reading: Promise<Settings> | undefined;

  constructor(current: Settings) {
    this.#current = current;
  }

  get current(): Settings {
    return this.#current;
  }

  /**
   * Reads the file again and takes it over as a whole. Throws CONFIG_INVALID with every problem of it; what was in
   * force before then stays in force.
   */
  async reload(): Promise<void> {
    this.#reading ??= readSettings(this.#current.file).finally(() => {
      this.#reading = undefined;
    });
    const next = await this.#reading;
    if (next === this.#current) return;
    this.#current = next;
    for (const tell of this.#listeners) tell(next);
  }

  /** Told after each change that was taken over. Returns what ends it. */
  onChange(tell: (settings: Settings) => void): () => void {
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  }
}
