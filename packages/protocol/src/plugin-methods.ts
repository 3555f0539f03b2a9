import * as z from 'zod';
import { capabilityRef } from './capability.ts';
import { emptyObject, jsonObject } from './json.ts';
import { wireLimits } from './limits.ts';
import { method, notification } from './method.ts';
import { grantedPermissions } from './permission.ts';
import { quickExecuteParams, quickExecuteResult } from './quick-execute.ts';

/** An answer nobody reads: a plugin in shell may answer null or {}. */
const acknowledged = z.union([emptyObject, z.null()]);
/** RFC 3339 in UTC with milliseconds. */
export const timestamp = z.iso.datetime({ precision: 3 });
/** What a plugin may send: any RFC 3339 time, because languages differ in what they print. */
const pluginTimestamp = z.iso.datetime({ offset: true });
export const progressToken = z.union([z.string(), z.int()]);
const name = z.string().min(1).max(200);
const cursor = z.string().max(wireLimits.cursorBytes);
const capability = z
  .looseObject(capabilityRef.shape)
  .meta({ id: 'Capability', description: 'One capability of a plugin.' });

export const callContext = z
  .looseObject({
    caller: z
      .looseObject({ kind: z.enum(['cli', 'daemon', 'plugin', 'mapping', 'mcp', 'host']), id: z.string() })
      .describe('Who made the call.'),
    trigger: z
      .looseObject({ plugin: z.string(), instance: z.string(), event_id: z.string() })
      .optional()
      .describe('The event that led to the call, where one did.'),
    velocity: z.int().min(0).max(127).optional().describe('How hard a key or pad was struck.'),
    current_mode: z
      .looseObject({ index: z.int().min(0), name: z.string() })
      .optional()
      .describe('The mode in force.'),
    timestamp: timestamp.describe('When the call was made: RFC 3339, UTC, milliseconds.'),
    deadline_ms: z.number().min(0).describe('Time left when the call was sent, in milliseconds.'),
    traceparent: z.string().optional().describe('W3C trace context.'),
  })
  .meta({ id: 'CallContext', description: 'The circumstances of a call.' });
export type CallContext = z.infer<typeof callContext>;

export const event = z
  .looseObject({
    id: z.string().describe('The same for every delivery of this event.'),
    type: z.string().describe('What happened; subscriptions are globs over it.'),
    data: z.unknown().describe('Any JSON.'),
    timestamp: timestamp.describe('When it was journalled: RFC 3339, UTC, milliseconds.'),
    source: z.string().describe('The plugin, or the part of the host, that it comes from.'),
  })
  .meta({ id: 'Event', description: 'One event as the host delivers it.' });
export type Event = z.infer<typeof event>;
const protocolOffer = z.looseObject({
  version: z.int().min(1).describe('One integer, independent of any release.'),
  features: z.array(z.string()).default([]).describe('Names of features; unknown ones are ignored.'),
});
const action = z.looseObject({ plugin: name, capability: name, input: z.unknown() });
const triggerEvent = z.looseObject({
  id: z.string().describe('Unique within plugin and instance: what the host has journalled already is dropped.'),
  instance: z.string().optional().describe('The armed trigger it belongs to.'),
  type: z.string(),
  data: z.unknown(),
  timestamp: pluginTimestamp.describe('RFC 3339.'),
});

export const initialize = method(
  'initialize',
  'Opens the session. Has no side effects outside the process: a spare may be initialized and never used.',
  z.looseObject({
    protocol: protocolOffer,
    host: z.looseObject({ name: z.string(), version: z.string() }).describe('For logs; behaviour hangs on features.'),
    plugin: z.looseObject({
      id: z.string().describe('The name the host knows it by.'),
      version: z.string().describe('The version of the manifest.'),
      directory: z.string().describe('Its bundle, read-only: also the working folder.'),
      data_directory: z.string().describe('The one folder of its own that lasts.'),
    }),
    config: jsonObject.describe('The configuration, defaults filled in.'),
    permissions: grantedPermissions,
    locale: z.string().describe('A BCP 47 language tag.'),
  }),
  z.looseObject({
    protocol: protocolOffer.optional().describe('Left out: version 1, no features.'),
    plugin: z.looseObject({ name: z.string(), version: z.string() }).optional(),
    capabilities: z.array(capability).optional().describe('Left out: all of the manifest. Never more than those.'),
  }),
);
export type InitializeParams = z.infer<typeof initialize.params>;
export type InitializeResult = z.infer<typeof initialize.result>;

const callMethods = {
  execute: method(
    'execute',
    'Runs one capability.',
    z.looseObject({
      capability,
      input: z.unknown().describe('As the kind or the schema of the capability says.'),
      context: callContext,
      progress_token: progressToken.optional().describe('Sent when the caller wants progress or chunks.'),
    }),
    z.looseObject({ output: z.unknown().describe('As the kind or the schema of the capability says.') }),
    { params: quickExecuteParams(timestamp), result: quickExecuteResult },
  ),
  complete: method(
    'complete',
    'Proposes completions for what was typed so far. A plugin without it has no items.',
    z.looseObject({
      capability,
      partial: z.string().describe('What was typed so far.'),
      cursor: z.int().min(0).optional().describe('Where in it the caret stands; at its end when left out.'),
    }),
    z.looseObject({ items: z.array(z.looseObject({ value: z.string(), description: z.string().optional() })) }),
  ),
  on_tool_error: method(
    'on_tool_error',
    'Asks the plugin what to do about a failed tool call (feature `tool_recovery`).',
    z.looseObject({
      capability,
      input: z.unknown().describe('What the tool was called with.'),
      error: z.unknown().describe('The error, in the shape of a JSON-RPC error.'),
      attempt: z.int().min(1).max(3).describe('Which failure of this call it is.'),
    }),
    z.looseObject({
      action: z.enum(['propagate', 'retry', 'fallback']),
      delay_ms: z.number().min(0).optional().describe('Pause before a retry, in milliseconds.'),
      capability: capability.optional(),
    }),
  ),
} as const;

const eventMethods = {
  handle_message: method(
    'handle_message',
    'Delivers a message of another plugin or of the host. A kind it does not take is answered UnsupportedMessage.',
    z.looseObject({
      id: z.string(),
      source: z.string().describe('The plugin that sent it.'),
      target: z.string().nullable().describe('This plugin, or null for a broadcast.'),
      kind: z.enum(['command', 'query', 'event']),
      payload: z.unknown(),
      metadata: jsonObject,
    }),
    z.looseObject({ payload: z.unknown() }),
  ),
  handle_event: method(
    'handle_event',
    'Delivers an event of a standing or session subscription. A successful answer acknowledges it.',
    z.looseObject({ event }),
    z.looseObject({
      actions: z.array(action).optional().describe('Capabilities the host is to call.'),
      veto: z
        .looseObject({ reason: z.string() })
        .optional()
        .describe('Hooks that may: stops what was about to happen.'),
    }),
  ),
  start_trigger: method(
    'start_trigger',
    'Arms a trigger. Sent again after every handshake.',
    z.looseObject({
      trigger: name.describe('The name of the capability.'),
      instance: name.describe('The name of this arming of it.'),
      config: jsonObject,
    }),
    acknowledged,
  ),
  stop_trigger: method('stop_trigger', 'Disarms a trigger.', z.looseObject({ instance: name }), acknowledged),
  poll_events: method(
    'poll_events',
    'Waits for events of triggers. At most one is outstanding in a session.',
    z.looseObject({
      instances: z.array(name).optional().describe('Only of these; of all when left out.'),
      ack: cursor
        .nullable()
        .describe('Everything up to this cursor is journalled; null asks for all that is unacknowledged again.'),
      max: z.int().min(1).max(wireLimits.pollEvents).describe('Most events to answer with.'),
      wait_ms: z.int().min(0).max(wireLimits.pollWaitMs).describe('How long to wait for the first, in milliseconds.'),
    }),
    z.looseObject({
      events: z.array(triggerEvent).max(wireLimits.pollEvents),
      cursor: cursor.describe('Opaque; acknowledges these events and all before them.'),
    }),
  ),
} as const;

/** Host → plugin, in the order a session may use them. */
export const pluginMethods = {
  initialize,
  initialized: notification('initialized', 'The host accepted the answer; calls may follow.', emptyObject),
  ...callMethods,
  ...eventMethods,
  configure: method(
    'configure',
    'Replaces the configuration. An error leaves the old one in force; MethodNotFound leads to a restart.',
    z.looseObject({ config: jsonObject.describe('The whole new configuration.') }),
    acknowledged,
  ),
  permissions_changed: notification(
    'permissions_changed',
    'The granted permissions changed.',
    z.looseObject({ permissions: grantedPermissions }),
  ),
  ping: method('ping', 'Any answer, an error included, means alive.', emptyObject, z.unknown()),
  shutdown: method(
    'shutdown',
    'Asks for an end; the host then closes stdin and the plugin exits.',
    z.looseObject({
      reason: z.string().describe('For the log.'),
      grace_ms: z.number().min(0).describe('Time until the host insists, in milliseconds.'),
    }),
    acknowledged,
  ),
} as const;
export type PluginMethods = typeof pluginMethods;
