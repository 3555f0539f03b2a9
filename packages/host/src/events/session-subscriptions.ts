import { hostLimits } from '../limits.ts';
import { type TypeMatcher, typeMatcher } from './glob.ts';

/** What one life of a plugin has subscribed to. */
export class SessionSubscriptions {
  readonly plugin: string;
  readonly #globs = new Set<string>();
  #matches: TypeMatcher = () => false;
  #end: (() => Promise<void>) | undefined;

  constructor(plugin: string) {
    this.plugin = plugin;
  }

  wants(type: string): boolean {
    return this.#matches(type);
  }

  /** False for one too many. One that is there already is there once. */
  add(glob: string): boolean {
    if (!this.#globs.has(glob) && this.#globs.size >= hostLimits.eventSubscriptions) return false;
    this.#globs.add(glob);
    this.#matches = typeMatcher([...this.#globs]);
    return true;
  }

  remove(glob: string): void {
    if (this.#globs.delete(glob)) this.#matches = typeMatcher([...this.#globs]);
  }

  /** At the first subscription; later ones find it begun. */
  begin(start: () => () => Promise<void>): void {
    this.#end ??= start();
  }

  end(): void {
    this.#globs.clear();
    this.#matches = () => false;
    void this.#end?.();
  }
}
