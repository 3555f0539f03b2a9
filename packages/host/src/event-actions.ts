import { type CapabilitySection, MmmError, type Permission, RpcError } from '@mmm/protocol';
import type { ActionReport } from './api-events.ts';
import { findCapability } from './call/find-capability.ts';
import type { EventCauses } from './events/causes.ts';
import type { WantedAction } from './events/hook-round.ts';
import type { PluginHandle } from './plugin.ts';
import { suggest } from './source/suggest.ts';

/** An event as far as what it leads to is concerned. */
export interface ActionCause {
  readonly depth: number;
  /** Ends what is being made. */
  readonly signal?: AbortSignal | undefined;
}

export interface ActionParts {
  /** Throws PLUGIN_NOT_FOUND. */
  open(id: string): Promise<PluginHandle>;
  /** Returns when the plugin that runs here may; throws RpcError PermissionDenied, which is counted and audited. */
  need(hook: PluginHandle, permission: Permission): Promise<void>;
  readonly causes: EventCauses;
}

/**
 * Makes the calls that plugins answered an event with, one after the other: what a plugin may not call itself with
 * `execute_capability` is not called for it either. Never throws; what failed is in the reports.
 */
export class EventActions {
  readonly #parts: ActionParts;

  constructor(parts: ActionParts) {
    this.#parts = parts;
  }

  async run(hook: string, actions: readonly WantedAction[], cause: ActionCause): Promise<readonly ActionReport[]> {
    const reports: ActionReport[] = [];
    for (const action of actions) {
      const { plugin, capability } = action;
      const about = { hook, plugin, capability };
      try {
        reports.push({ ...about, ok: true, output: await this.#execute(hook, action, cause), error: null });
      } catch (error) {
        reports.push({ ...about, ok: false, output: null, error: reasonOf(error) });
      }
    }
    return reports;
  }

  async #execute(
    by: string,
    { plugin, capability, input }: WantedAction,
    { depth, signal }: ActionCause,
  ): Promise<unknown> {
    const { open, need, causes } = this.#parts;
    const target = await open(plugin).catch(() => undefined);
    const section = target === undefined ? undefined : found(target, capability);
    if (plugin !== by) {
      await need(await open(by), { kind: 'compose', plugin, capability: section?.name ?? capability });
    }
    if (target === undefined || section === undefined) throw missing(plugin, capability);
    const caller = { kind: 'plugin' as const, id: by };
    const { kind, name } = section;
    const result = await causes.during(plugin, depth, () => {
      return target.execute({ kind, name }, input, {
        context: { caller },
        prompter: null,
        ...(signal === undefined ? {} : { signal }),
      });
    });
    return result.output;
  }
}

/** What is missing is said only to a plugin that may call it. */
function found({ spec }: PluginHandle, capability: string): CapabilitySection | undefined {
  try {
    return findCapability(spec, capability, suggest);
  } catch {
    return undefined;
  }
}

function missing(plugin: string, capability: string): MmmError<'CAPABILITY_NOT_FOUND'> {
  const message = `There is no plugin "${plugin}", or it has no capability "${capability}".`;
  return new MmmError('CAPABILITY_NOT_FOUND', message, { plugin, capability, known: [] });
}

function reasonOf(error: unknown): string {
  if (error instanceof RpcError || error instanceof Error) return error.message;
  return String(error);
}
