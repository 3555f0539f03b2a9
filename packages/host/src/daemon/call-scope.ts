import { AsyncLocalStorage } from 'node:async_hooks';
import type { Prompter } from '../clients/prompter.ts';

/** One call of a client, for as long as it is not answered. */
export interface CallScope {
  /** Undefined when nobody is there to be asked. */
  readonly prompter: Prompter | undefined;
}

/**
 * Whose call it is that something happens for, so that a question goes to whoever made that call and to nobody else.
 * What begins in the course of a call knows it, such as the start of a plugin. What a plugin asks for while it runs
 * knows its call by other means: `ExecuteOptions.prompter`.
 */
export class CallScopes {
  readonly #current = new AsyncLocalStorage<CallScope>();
  readonly #open = new Set<CallScope>();

  async run<T>(scope: CallScope, work: () => Promise<T>): Promise<T> {
    this.#open.add(scope);
    try {
      return await this.#current.run(scope, work);
    } finally {
      this.#open.delete(scope);
    }
  }

  /** Asks the person behind the call; rejects when there is none. */
  readonly prompter: Prompter = {
    ask: async (request) => {
      const scope = this.#current.getStore();
      const prompter = scope !== undefined && this.#open.has(scope) ? scope.prompter : undefined;
      if (prompter === undefined) throw new Error('nobody is there to be asked');
      return await prompter.ask(request);
    },
  };
}
