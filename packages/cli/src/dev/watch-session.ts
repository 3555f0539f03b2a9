import { type Clock, systemClock } from '@mmm/host';
import type { Io } from '../io.ts';
import { exitCodes } from '../output.ts';
import type { DevelopmentRun } from './development-run.ts';
import type { CallToTry } from './first-call.ts';
import { type Key, readKeys } from './keys.ts';
import { watchSources } from './watch-sources.ts';

type Step = { readonly kind: 'changed'; readonly paths: readonly string[] } | { readonly kind: 'call' | 'restart' };

/** Paths named when several were saved at once. */
const pathsShown = 3;

/**
 * The author's loop: reloads what is saved and calls it, until `q` or Ctrl-C. One step after the other, except that the
 * end comes at once and that a call does not hold up the next step. Returns the exit code. Throws only bugs.
 */
export class WatchSession {
  readonly #io: Io;
  readonly #run: DevelopmentRun;
  readonly #call: CallToTry | undefined;
  readonly #clock: Clock;
  readonly #steps: Step[] = [];
  #wake: () => void = () => undefined;
  #onPlan: (built: string | null) => void = () => undefined;
  #calling: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  constructor(io: Io, run: DevelopmentRun, call: CallToTry | undefined, clock: Clock = systemClock) {
    this.#io = io;
    this.#run = run;
    this.#call = call;
    this.#clock = clock;
  }

  async run(directory: string): Promise<number> {
    let end: (code: number) => void = () => undefined;
    const ended = new Promise<number>((resolve) => {
      end = resolve;
    });
    const interrupt = (): void => end(exitCodes.cancelled);
    this.#io.interrupted.addEventListener('abort', interrupt, { once: true });
    if (this.#io.interrupted.aborted) interrupt();
    const watch = watchSources(directory, {
      clock: this.#clock,
      onChange: (paths) => this.#push({ kind: 'changed', paths }),
    });
    this.#onPlan = (built) => watch.builds(built);
    const releaseKeys = readKeys(this.#io, (key) => this.#pressed(key, end));
    const steps = async (): Promise<number> => {
      await this.#reload();
      for (;;) {
        this.#showKeysWhenIdle(releaseKeys !== undefined);
        await this.#take(await this.#nextStep());
      }
    };
    try {
      return await Promise.race([ended, steps()]);
    } finally {
      releaseKeys?.();
      watch.close();
      this.#io.interrupted.removeEventListener('abort', interrupt);
      await this.#endCall();
    }
  }

  #pressed(key: Key, end: (code: number) => void): void {
    if (key === 'quit') end(exitCodes.ok);
    else if (key === 'interrupt') end(exitCodes.cancelled);
    else this.#push({ kind: key });
  }

  #push(step: Step): void {
    const last = this.#steps.at(-1);
    // What was saved while a build ran is one change.
    if (step.kind === 'changed' && last?.kind === 'changed') {
      this.#steps.splice(-1, 1, { kind: 'changed', paths: [...new Set([...last.paths, ...step.paths])] });
    } else {
      this.#steps.push(step);
    }
    this.#wake();
  }

  async #nextStep(): Promise<Step> {
    for (;;) {
      const step = this.#steps.shift();
      if (step !== undefined) return step;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #take(step: Step): Promise<void> {
    if (step.kind === 'changed') {
      const [shown, more] = [step.paths.slice(0, pathsShown).join(', '), step.paths.length - pathsShown];
      this.#run.say(`↻ ${shown}${more > 0 ? ` and ${more} more` : ''}`);
      await this.#reload();
    } else if (step.kind === 'restart') {
      await this.#restart();
    } else {
      await this.#startCall(true);
    }
  }

  async #reload(): Promise<void> {
    try {
      await this.#endCall();
      await this.#run.reload(this.#onPlan);
    } catch (error) {
      this.#run.showError(error);
      const { plugin } = this.#run;
      this.#run.say(plugin === undefined ? '  Nothing runs yet.' : '  The last build that worked keeps running.');
      return;
    }
    await this.#startCall(false);
  }

  async #restart(): Promise<void> {
    const { plugin } = this.#run;
    if (plugin === undefined) return await this.#reload();
    try {
      await this.#endCall();
      await plugin.stop('restarted by its author');
      plugin.reset();
      await plugin.start();
      this.#run.say('✓ restarted');
    } catch (error) {
      this.#run.showError(error);
    }
  }

  /** Starts the call and does not wait for its answer: a call that hangs must not hold up the next save. */
  async #startCall(isAsked: boolean): Promise<void> {
    const [call, { plugin }] = [this.#call, this.#run];
    if (call === undefined || plugin === undefined) {
      if (isAsked) this.#run.say(plugin === undefined ? 'Nothing runs yet.' : `No call was given: ${this.#example()}`);
      return;
    }
    await this.#endCall();
    // Whoever presses the key wants an answer now, not after the next backoff.
    plugin.reset();
    const abort = new AbortController();
    const done = this.#run
      .call(call, abort.signal)
      .then((result) => this.#run.showResult(result))
      .catch((error: unknown) => {
        if (!abort.signal.aborted) this.#run.showError(error);
      });
    this.#calling = { abort, done };
  }

  async #endCall(): Promise<void> {
    const calling = this.#calling;
    this.#calling = undefined;
    calling?.abort.abort();
    await calling?.done;
  }

  #example(): string {
    const capability = this.#run.plugin?.spec.manifest.capabilities[0]?.name ?? 'NAME';
    return `start with --call '${capability} {…}'`;
  }

  /** After the answer, not before it, or the answer would be overlooked above it. */
  #showKeysWhenIdle(hasKeys: boolean): void {
    const calling = this.#calling;
    if (calling === undefined) {
      this.#showKeys(hasKeys);
      return;
    }
    void calling.done.then(() => {
      if (this.#calling === calling) this.#showKeys(hasKeys);
    });
  }

  #showKeys(hasKeys: boolean): void {
    if (this.#steps.length > 0) return;
    const keys = hasKeys ? ' · c or Enter: call again · r: restart · q: quit' : '';
    this.#run.say(`watching for changes${keys}`);
  }
}
