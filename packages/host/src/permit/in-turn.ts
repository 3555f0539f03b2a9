import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { PermissionPrompter } from './prompt.ts';

/**
 * One question at a time, whatever plugins ask: two at once on one screen could be answered for each other. A question
 * that nobody answers within `hostLimits.promptTimeoutMs` counts as no; the time before it is shown does not count.
 */
export function inTurn(prompter: PermissionPrompter, clock: Pick<Clock, 'sleep'>): PermissionPrompter {
  let before: Promise<unknown> = Promise.resolve();
  return {
    ask: (request) => {
      const answer = before.then(async () => {
        const answered = new AbortController();
        const late = clock.sleep(hostLimits.promptTimeoutMs, answered.signal).then(
          () => 'deny' as const,
          () => 'deny' as const,
        );
        try {
          return await Promise.race([prompter.ask(request), late]);
        } finally {
          answered.abort();
        }
      });
      before = answer.catch(() => undefined);
      return answer;
    },
  };
}
