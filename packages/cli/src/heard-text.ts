import { safeText } from '@mmm/host/display';
import type { HeardEvents } from '@mmm/protocol';

/** As many as a person reads at once; a manifest may have more. */
const globsShown = 20;

/** What a plugin hears of, as lines for people; none for one that hears of nothing. */
export function heardLines({ told, asked }: HeardEvents): readonly string[] {
  return [
    ...(told.length === 0 ? [] : [`It is told of events: ${globsText(told)}`]),
    ...asked.map(({ hook, events }) => {
      return `It is asked before, and may stop: ${globsText(events)} (hook ${safeText(hook, 60)})`;
    }),
  ];
}

/** The author wrote them: quoted, so that nothing in them looks like ours. */
function globsText(globs: readonly string[]): string {
  const shown = globs.slice(0, globsShown).map((glob) => `"${safeText(glob, 200).replaceAll('"', "'")}"`);
  const more = globs.length - shown.length;
  return `${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
