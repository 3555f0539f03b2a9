import { type ExitReason, MmmError } from '@mmm/protocol';

/** Why a call may fail while its plugin is being tormented. Everything else is a promise that was broken. */
const honestCodes = new Set(['PLUGIN_EXITED', 'PLUGIN_UNAVAILABLE', 'CALL_TIMEOUT', 'CALL_CANCELLED', 'BUSY']);

/** Broken promises that are kept word for word; of the others only the number. */
const complaintsKept = 20;

/** The books of every call: counted when it is made and when it settles, and only kept while it is open. */
export class Ledger {
  readonly #open = new Map<string, string>();
  readonly #outcomes = new Map<string, number>();
  readonly #complaints: string[] = [];
  #made = 0;
  #settled = 0;
  #answered = 0;
  #broken = 0;

  /** A call is made. Returns what must be told how it ended, exactly once. */
  made(plugin: string, tag: string): { answered(output: unknown): void; failed(error: unknown): void } {
    this.#made += 1;
    this.#open.set(tag, plugin);
    return {
      answered: (output) => {
        this.#settle(tag, 'answered');
        const { plugin: by, tag: of } = (output ?? {}) as { plugin?: unknown; tag?: unknown };
        if (by === plugin && of === tag) this.#answered += 1;
        else this.complain(`call ${tag} of ${plugin} got the answer ${JSON.stringify(output)}`);
      },
      failed: (error) => {
        this.#settle(tag, outcomeOf(error));
        if (!isHonest(error, plugin)) this.complain(`call ${tag} of ${plugin} failed with ${String(error)}`);
      },
    };
  }

  complain(words: string): void {
    this.#broken += 1;
    if (this.#complaints.length < complaintsKept) this.#complaints.push(words);
  }

  get totals() {
    return { made: this.#made, settled: this.#settled, answered: this.#answered, broken: this.#broken };
  }

  /** Tags of the calls that did not settle. */
  get open(): readonly string[] {
    return [...this.#open.keys()];
  }

  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** How many calls ended in which way, most frequent first. */
  get outcomes(): readonly (readonly [string, number])[] {
    return [...this.#outcomes].toSorted(([, a], [, b]) => b - a);
  }

  #settle(tag: string, outcome: string): void {
    if (!this.#open.delete(tag)) this.complain(`call ${tag} settled twice`);
    this.#settled += 1;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }
}

/** An error that names the plugin that was called and why it did not answer. */
function isHonest(error: unknown, plugin: string): boolean {
  if (!(error instanceof MmmError) || !honestCodes.has(error.code) || error.message === '') return false;
  return (error.data as { plugin?: unknown }).plugin === plugin;
}

function outcomeOf(error: unknown): string {
  if (MmmError.is(error, 'PLUGIN_EXITED')) return `PLUGIN_EXITED, ${causeOf(error.data.reason)}`;
  if (MmmError.is(error, 'PLUGIN_UNAVAILABLE')) return `PLUGIN_UNAVAILABLE, ${error.data.state}`;
  return error instanceof MmmError ? error.code : String(error);
}

/** An exit in a few words: what happened, and with which number or name. */
export function causeOf(reason: ExitReason): string {
  if (reason.kind === 'signal') return reason.signal;
  if (reason.kind === 'exit') return `code ${reason.code}`;
  return reason.kind;
}
