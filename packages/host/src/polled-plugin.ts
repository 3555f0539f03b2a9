import { MmmError } from '@mmm/protocol';
import type { Handles } from './handles.ts';
import type { OpenPlugins } from './open-plugins.ts';
import type { PluginHandle } from './plugin.ts';
import type { PolledPlugin } from './triggers/poller.ts';

export interface PolledPluginParts {
  readonly handles: Handles;
  readonly plugins: Pick<OpenPlugins, 'open'>;
  note(plugin: string, level: 'info' | 'warn', message: string): void;
}

/** A plugin for the poller of its triggers, whichever handle is its current one. */
export function polledPlugin(id: string, { handles, plugins, note }: PolledPluginParts): PolledPlugin {
  return {
    id,
    start: async (wait) => {
      const handle = await plugins.open(id);
      await handle.start(wait);
    },
    session: () => liveSession(handles.get(id)),
    ending: (session) => whenEnding(handles.get(id), session),
    request: async (method, params, options) => {
      const handle = handles.get(id);
      if (handle === undefined) throw gone(id);
      // A poll only waits: it must take no place from a call.
      return await handle.request(method, params, { ...options, start: false, takesPlace: false });
    },
    fail: (session, detail) => {
      const live = handles.get(id)?.session;
      if (live === session) live?.kill({ kind: 'protocol', detail });
    },
    note: (level, message) => note(id, level, message),
  };
}

function liveSession(handle: PluginHandle | undefined): object | undefined {
  const kind = handle?.state.kind;
  return kind === 'running' || kind === 'degraded' ? handle?.session : undefined;
}

/** Aborts as soon as this life of the plugin takes no more calls: before it ends, where that is asked for. */
function whenEnding(handle: PluginHandle | undefined, session: object): AbortSignal {
  const ending = new AbortController();
  if (handle === undefined || liveSession(handle) !== session) ending.abort();
  else void watch(handle, session, ending);
  return ending.signal;
}

async function watch(handle: PluginHandle, session: object, ending: AbortController): Promise<void> {
  for await (const _state of handle.changes(ending.signal)) {
    if (liveSession(handle) !== session) ending.abort();
  }
}

function gone(plugin: string): MmmError<'PLUGIN_UNAVAILABLE'> {
  const message = `${plugin} does not run any more.`;
  return new MmmError('PLUGIN_UNAVAILABLE', message, {
    plugin,
    state: 'stopped',
    untilMs: null,
    cause: 'it was ended',
  });
}
