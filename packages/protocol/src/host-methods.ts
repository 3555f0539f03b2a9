import * as z from 'zod';
import { chatMessage } from './capability.ts';
import { emptyObject, jsonObject } from './json.ts';
import { wireLimits } from './limits.ts';
import { method, notification } from './method.ts';
import { progressToken } from './plugin-methods.ts';
import { sharedNames } from './shared-names.ts';

const scope = z.enum(['plugin', 'project', 'global']).describe('Whose state. Project needs a project.');
const key = z.string().min(1).max(wireLimits.stateKeyChars);
const version = z
  .int()
  .min(0)
  .describe(
    'From 1, higher with each change and never used twice for a key, also when it was deleted; 0 means absent.',
  );
const ifVersion = z.int().min(0).optional().describe('Only if this is the current version; otherwise VersionConflict.');
const name = z.string().min(1).max(200);
const bodyEncoding = z.enum(['utf8', 'base64']).default('utf8');
const messageKind = z.enum(['command', 'query', 'event']);

export const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error']);
export type LogLevel = z.infer<typeof logLevel>;

export const log = notification(
  'log',
  "Writes a line into the plugin's log. The only thing accepted before initialize is answered.",
  z.looseObject({ level: logLevel.default('info'), message: z.string(), fields: jsonObject.default({}) }),
);

const metricWord = z
  .string()
  .max(wireLimits.metricWordChars)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and "_", and not begin with a digit');
/** Set by the host or by the format they are shown in. */
const takenLabels: ReadonlySet<string> = new Set(['plugin', 'metric', 'le', 'quantile', 'job', 'instance']);
const metricLabels = z
  .record(metricWord, z.string().max(wireLimits.metricLabelChars))
  .refine((labels) => Object.keys(labels).length <= wireLimits.metricLabels, {
    message: `must have at most ${wireLimits.metricLabels} labels`,
  })
  .refine((labels) => !Object.keys(labels).some((label) => takenLabels.has(label) || label.startsWith('__')), {
    message: `must not use a label of the host's: ${[...takenLabels].join(', ')}, or one that begins with "__"`,
  });

const stateOperation = z
  .looseObject({
    op: z.enum(['set', 'delete', 'check']),
    key,
    value: z.unknown().optional().describe('What to set.'),
    if_version: ifVersion,
  })
  .refine(({ op, value }) => op !== 'set' || value !== undefined, {
    path: ['value'],
    message: 'is required to set a key',
  })
  .refine(({ op, if_version }) => op !== 'check' || if_version !== undefined, {
    path: ['if_version'],
    message: 'is required to check a key',
  });

/** Plugin → host. Each is checked against the grants at each call; refusals are audited. */
export const hostMethods = {
  log,
  get_state: method(
    'get_state',
    'Reads one value; version 0 means absent.',
    z.looseObject({ scope, key }),
    z.looseObject({ value: z.unknown(), version }),
  ),
  set_state: method(
    'set_state',
    'Writes one value; with if_version only if that is the current one.',
    z
      .looseObject({ scope, key, value: z.unknown(), if_version: ifVersion })
      .refine(({ value }) => value !== undefined, { path: ['value'], message: 'is required; null is a value' }),
    z.looseObject({ version }),
  ),
  delete_state: method(
    'delete_state',
    'Deletes one value. One that is absent is no error.',
    z.looseObject({ scope, key, if_version: ifVersion }),
    z.looseObject({ version }),
  ),
  list_state: method(
    'list_state',
    'Lists keys, by prefix when given.',
    z.looseObject({
      scope,
      key: z.string().max(wireLimits.stateKeyChars).default('').describe('What the keys begin with.'),
    }),
    z.looseObject({ items: z.array(z.looseObject({ key, version })) }),
  ),
  update_state: method(
    'update_state',
    'Applies up to 64 operations, all or none.',
    z.looseObject({
      scope,
      operations: z.array(stateOperation).min(1).max(wireLimits.stateOperations),
    }),
    z.looseObject({ versions: z.array(version).describe('One for each operation, in their order.') }),
  ),
  emit_event: method(
    'emit_event',
    'Journals an event, and delivers it. Types that the host, programs or another plugin emit are InvalidParams.',
    z.looseObject({
      type: name.describe(
        'Begins with the own name and a dot, or with a word and a dot that no other plugin has for a name.',
      ),
      data: z.unknown().describe('Any JSON, at most 256 KiB.'),
    }),
    z.looseObject({ id: z.string() }),
  ),
  subscribe_to_event: method(
    'subscribe_to_event',
    'Subscribes this session to a glob of event types.',
    z.looseObject({ type: name.describe('A glob of event types.') }),
    emptyObject,
  ),
  unsubscribe_from_event: method(
    'unsubscribe_from_event',
    'Ends such a subscription.',
    z.looseObject({ type: name.describe('A glob of event types.') }),
    emptyObject,
  ),
  send_message: method(
    'send_message',
    'Sends a message to one plugin and waits for its answer.',
    z.looseObject({
      target: name,
      kind: messageKind,
      payload: z.unknown(),
      metadata: jsonObject.default({}),
      timeout_ms: z.number().positive().optional().describe('How long to wait, in milliseconds.'),
    }),
    z.looseObject({ payload: z.unknown() }),
  ),
  broadcast_message: method(
    'broadcast_message',
    'Sends a message to every plugin that may hear it.',
    z.looseObject({
      kind: messageKind,
      payload: z.unknown(),
      metadata: jsonObject.default({}),
      timeout_ms: z.number().positive().optional().describe('How long to wait, in milliseconds.'),
    }),
    z.array(
      z.looseObject({
        source: z.string().describe('The plugin that answers.'),
        payload: z.unknown().optional().describe('Its answer,'),
        error: z.unknown().optional().describe('or its error, in the shape of a JSON-RPC error.'),
      }),
    ),
  ),
  get_current_project: method(
    'get_current_project',
    'Describes the project the host works in.',
    emptyObject,
    z.looseObject({ project: z.unknown() }),
  ),
  get_spec: method(
    'get_spec',
    'Reads one specification of the project.',
    z.looseObject({ name }),
    z.looseObject({ spec: z.unknown() }),
  ),
  update_spec_status: method(
    'update_spec_status',
    'Changes the status of a specification.',
    z.looseObject({ name, status: z.string().min(1).max(100) }),
    emptyObject,
  ),
  model_request: method(
    'model_request',
    'Asks a model provider plugin.',
    z.looseObject({
      messages: z.array(chatMessage),
      options: jsonObject.default({}).describe('For the model; `model` also decides which plugin answers.'),
      spec: name.optional().describe('The specification it is about: what `get_model_history` files it under.'),
      progress_token: progressToken.optional().describe('Sent when chunks of the answer are wanted.'),
    }),
    z.looseObject({ message: chatMessage, usage: jsonObject.optional(), stop_reason: z.string().optional() }),
  ),
  get_model_history: method(
    'get_model_history',
    'Reads the exchanges with models, of one specification when given.',
    z.looseObject({ spec: z.string().optional() }),
    z.looseObject({ exchanges: z.array(z.unknown()) }),
  ),
  prompt_user: method(
    'prompt_user',
    'Asks the client whose call this is. Nobody there is answered NotInteractive.',
    z.looseObject({
      message: z.string().max(4000),
      kind: z.enum(['text', 'confirm', 'select', 'secret']),
      options: z.array(z.string().min(1).max(200)).max(100).optional().describe('What `select` offers.'),
    }),
    z.looseObject({ answer: z.unknown() }),
  ),
  display_progress: method(
    'display_progress',
    'Shows progress at the client whose call this is.',
    z.looseObject({ message: z.string().max(4000), fraction: z.number().min(0).max(1).optional().describe('0 to 1.') }),
    emptyObject,
  ),
  execute_capability: method(
    'execute_capability',
    "Runs a capability of another plugin under the caller's own permissions. At most 8 deep; cycles are refused.",
    z.looseObject({
      plugin: name.optional().describe('Left out: the only plugin that has it.'),
      capability: name,
      input: z.unknown(),
    }),
    z.looseObject({ output: z.unknown() }),
  ),
  request_permission: method(
    'request_permission',
    'Asks the user for a permission; refused at once when nobody can answer.',
    z.looseObject({ permission: z.string().describe('Spelt as on the command line: `network=h:443`.') }),
    z.looseObject({ granted: z.boolean(), once: z.boolean().describe('For this session only.') }),
  ),
  record_metric: method(
    'record_metric',
    "Records one value of a plugin's own metric. One series too many is QuotaExceeded.",
    z.looseObject({
      name: metricWord.describe('Letters, digits and `_`, as Prometheus has it.'),
      value: z
        .number()
        .min(-wireLimits.metricValue)
        .max(wireLimits.metricValue)
        .describe('In base units: seconds, bytes.'),
      labels: metricLabels.default({}).describe('What distinguishes the series of this metric; few values each.'),
    }),
    emptyObject,
  ),
  fetch: method(
    'fetch',
    'Makes one HTTP request under the network grant, for runtimes without sockets. Follows no redirect.',
    z.looseObject({
      url: z.string().max(8192).describe('http or https, without a password in it.'),
      method: z.string().default('GET'),
      headers: z
        .record(z.string(), z.string())
        .default({})
        .describe('Without `accept-encoding` the host asks for compression and undoes it.'),
      body: z.string().optional(),
      body_encoding: bodyEncoding.describe('How the bytes stand in `body`.'),
      timeout_ms: z
        .number()
        .positive()
        .optional()
        .describe('For the whole request, in milliseconds: 30 s by default, 10 min at most.'),
    }),
    z.looseObject({
      status: z.int(),
      headers: z
        .record(z.string(), z.string())
        .describe('Names in lower case. Repeated ones are joined by `, `, `set-cookie` by a line break.'),
      body: z.string().describe('At most 5 MiB; a larger answer is MessageTooLarge.'),
      body_encoding: bodyEncoding.describe('`base64` for bytes that are not UTF-8.'),
    }),
  ),
} as const;
export type HostMethods = typeof hostMethods;

/** What this release serves of them; a request for another one is answered MethodNotFound. */
export const servedHostMethods = [
  'log',
  'get_state',
  'set_state',
  'delete_state',
  'list_state',
  'update_state',
  'emit_event',
  'subscribe_to_event',
  'unsubscribe_from_event',
  'send_message',
  'broadcast_message',
  'get_current_project',
  'get_spec',
  'update_spec_status',
  'model_request',
  'get_model_history',
  'prompt_user',
  'display_progress',
  'execute_capability',
  'request_permission',
  'record_metric',
  'fetch',
] as const satisfies readonly (keyof HostMethods)[];
export type ServedHostMethod = (typeof servedHostMethods)[number];

/** Either direction: cancellation, progress and the acknowledgement of stream chunks. */
export const sharedMethods = {
  cancel: notification(
    sharedNames.cancel,
    'Asks the peer to end a request early.',
    z.looseObject({ id: z.union([z.string(), z.int()]) }),
  ),
  progress: notification(
    sharedNames.progress,
    'Reports progress or one chunk of a stream.',
    z.looseObject({
      token: progressToken.describe('The `progress_token` of the request.'),
      value: z.union([
        z.looseObject({
          kind: z.literal('report'),
          message: z.string().optional(),
          fraction: z.number().optional().describe('0 to 1.'),
        }),
        z.looseObject({
          kind: z.literal('chunk'),
          seq: z.int().min(0).describe('Counts from 0 without gaps.'),
          data: z.unknown(),
        }),
      ]),
    }),
  ),
  ack: notification(
    sharedNames.ack,
    'Acknowledges chunks up to and including seq.',
    z.looseObject({ token: progressToken, seq: z.int().min(0) }),
  ),
} as const;
export type ProgressValue = z.infer<typeof sharedMethods.progress.params>['value'];
