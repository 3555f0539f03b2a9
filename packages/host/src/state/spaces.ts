import type { StateSpace, StateWriter } from '../store/state-values.ts';
import { StateRefusal } from './refusal.ts';

export type StateScope = StateSpace['scope'];

/**
 * Where the values of a scope lie for one plugin. Its own are filed as its data folder is: under the plugin and its
 * publisher. `project` is the real path of the project's folder. Throws StateRefusal for a project that is not there.
 */
export function spaceOf(scope: StateScope, holder: StateWriter, project: string | undefined): StateSpace {
  switch (scope) {
    case 'plugin':
      return { scope, owner: holder.plugin, publisher: holder.publisher };
    case 'project':
      if (project === undefined) {
        throw StateRefusal.invalid(
          'There is no project here, so there is no state of one. Use another scope, or start the host in a project.',
        );
      }
      return { scope, owner: project, publisher: '' };
    case 'global':
      return { scope, owner: '', publisher: '' };
  }
}
