import { hostMethods, RpcError } from '@mmm/protocol';
import { onRequest, type RequestEntry } from '@mmm/rpc';
import { SpecFault } from '../project/spec-file.ts';
import type { Specs } from '../project/specs.ts';
import type { Requester } from './requester.ts';

export interface ProjectServices {
  /** The project the host works in; undefined when there is none. */
  readonly project: { readonly name: string; readonly path: string } | undefined;
  readonly specs: Specs | undefined;
}

type ProjectMethod = 'get_current_project' | 'get_spec' | 'update_spec_status';

/** The project and its specifications: reading them and changing their status are two permissions. */
export function projectRequests(
  requester: Requester,
  { project, specs }: ProjectServices,
): Readonly<Record<ProjectMethod, RequestEntry>> {
  return {
    get_current_project: onRequest(hostMethods.get_current_project, async (_params, request) => {
      await requester.need({ kind: 'project', access: 'read' }, request);
      return { project: project ?? null };
    }),
    get_spec: onRequest(hostMethods.get_spec, async ({ name }, request) => {
      await requester.need({ kind: 'project', access: 'read' }, request);
      return { spec: await about(name, specs, (known) => known.get(name)) };
    }),
    update_spec_status: onRequest(hostMethods.update_spec_status, async ({ name, status }, request) => {
      await requester.need({ kind: 'project', access: 'write' }, request);
      await about(name, specs, (known) => known.setStatus(name, status));
      return {};
    }),
  };
}

/** What cannot be used is a wrong param of the plugin's: only it knows what it wanted. */
async function about<T>(name: string, specs: Specs | undefined, work: (specs: Specs) => T): Promise<T> {
  if (specs === undefined) throw RpcError.of('InvalidParams', 'The host works in no project, so there are no specs.');
  try {
    return work(specs);
  } catch (error) {
    if (!(error instanceof SpecFault)) throw error;
    const reason = error.isMissing ? 'missing' : 'unusable';
    throw RpcError.of('InvalidParams', `The specification "${name}" ${error.message}.`, { reason });
  }
}
