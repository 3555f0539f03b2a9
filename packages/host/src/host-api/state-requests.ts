import { hostMethods, MmmError, RpcError } from '@mmm/protocol';
import { type HandlerContext, onRequest, type RequestEntry } from '@mmm/rpc';
import { StateRefusal } from '../state/refusal.ts';
import { type StateScope, spaceOf } from '../state/spaces.ts';
import type { StateStore } from '../state/state-store.ts';
import type { StateOperation } from '../state/states.ts';
import type { StateSpace, StateWriter } from '../store/state-values.ts';
import type { Requester } from './requester.ts';

export interface StateServices {
  readonly states: StateStore;
  /** The real path of the folder the host works in. */
  readonly project: string | undefined;
}

type Names = 'get_state' | 'set_state' | 'delete_state' | 'list_state' | 'update_state';
interface WireOperation {
  readonly op: 'set' | 'delete' | 'check';
  readonly key: string;
  readonly value?: unknown;
  readonly if_version?: number | undefined;
}

/**
 * The five requests about stored values. Each needs the `state` permission of its scope. `note` tells the user when the
 * host cannot store or read, so that it does not stay between host and plugin.
 */
export function stateRequests(
  requester: Pick<Requester, 'need' | 'recordId' | 'publisher'>,
  { states, project }: StateServices,
  note: (message: string) => void,
): Readonly<Record<Names, RequestEntry>> {
  const holder: StateWriter = { plugin: requester.recordId, publisher: requester.publisher };
  let told = '';
  const within = async <T>(scope: StateScope, request: HandlerContext, work: (space: StateSpace) => Promise<T>) => {
    await requester.need({ kind: 'state', scope }, request);
    try {
      const result = await work(spaceOf(scope, holder, project));
      told = '';
      return result;
    } catch (error) {
      if (error instanceof MmmError && error.message !== told) {
        told = error.message;
        note(told);
      }
      throw onTheWire(error);
    }
  };
  const updateOne = async (scope: StateScope, operation: WireOperation, request: HandlerContext) => {
    const [version = 0] = await within(scope, request, (space) => states.update(space, [read(operation)], holder));
    return { version };
  };
  return {
    get_state: onRequest(hostMethods.get_state, ({ scope, key }, request) =>
      within(scope, request, async (space) => ({ ...(await states.get(space, key)) })),
    ),
    set_state: onRequest(hostMethods.set_state, ({ scope, ...rest }, request) =>
      updateOne(scope, { op: 'set', ...rest }, request),
    ),
    delete_state: onRequest(hostMethods.delete_state, ({ scope, ...rest }, request) =>
      updateOne(scope, { op: 'delete', ...rest }, request),
    ),
    list_state: onRequest(hostMethods.list_state, ({ scope, key }, request) =>
      within(scope, request, async (space) => ({ items: [...(await states.list(space, key))] })),
    ),
    update_state: onRequest(hostMethods.update_state, ({ scope, operations }, request) =>
      within(scope, request, async (space) => ({
        versions: [...(await states.update(space, operations.map(read), holder))],
      })),
    ),
  };
}

function read({ op, key, value, if_version: ifVersion }: WireOperation): StateOperation {
  if (op === 'check') return { op, key, ifVersion: ifVersion ?? 0 };
  return op === 'set' ? { op, key, value, ifVersion } : { op, key, ifVersion };
}

const names = { conflict: 'VersionConflict', quota: 'QuotaExceeded', invalid: 'InvalidParams' } as const;

/** The host's own paths are none of a plugin's business; what is wrong with the disk is. */
function onTheWire(error: unknown): unknown {
  if (error instanceof StateRefusal) return RpcError.of(names[error.kind], error.message, error.details);
  if (!MmmError.is(error, 'STATE_UNREADABLE')) return error;
  const { problem = 'other' } = error.data;
  return RpcError.of('StorageFailed', `The host could not store or read it: ${sentences[problem]}.`, { problem });
}

const sentences = {
  full: 'the disk is full',
  io: 'the disk reports errors',
  busy: 'another process holds its file',
  corrupt: 'its file is damaged',
  newer: 'its file is of a newer version',
  other: 'its file cannot be used',
} as const;
