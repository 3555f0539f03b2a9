import * as z from 'zod';
import { capabilityRef } from './capability.ts';
import { logLevel } from './host-methods.ts';
import { type Method, method, notification } from './method.ts';
import { callContext, progressToken } from './plugin-methods.ts';

/**
 * The API of a running daemon: JSON-RPC 2.0, one message a line, over a unix socket that only its user can reach. One
 * integer, raised by each change that an older peer would misunderstand.
 */
export const controlVersion = 1;

/** What JSON cannot say, as control-values.ts spells it. */
const date = z.strictObject({ $date: z.iso.datetime() });
const id = z.string().describe('The name of a plugin.');
const path = z.string().describe('An absolute path: a client and the daemon may be in different folders.');
const keys = z.array(z.string()).describe('Permissions, spelt as keys.');
const place = z.union([z.enum(['project', 'global']), z.strictObject({ plugin: z.string() })]);
const ifVersion = z.int().min(0).optional();
const role = z.enum(['publisher', 'root']);
const record = z.record(z.string(), z.unknown());
const mappingTrial = z.strictObject({
  mapping: z.string().optional(),
  type: z.string().optional(),
  data: z.unknown().optional(),
  source: z.string().optional(),
  instance: z.string().optional(),
  mode: z.string().optional(),
});
const capability = z.union([z.string(), capabilityRef]);
const lines = z.int().min(1).optional().describe('How many of the last lines.');

const eventFilter = {
  types: z.array(z.string()).optional().describe('Globs.'),
  since: date.optional(),
  limit: z.int().min(1).optional(),
};

/** What any call may carry beside its arguments. */
const envelope = {
  progress_token: progressToken.optional(),
  call: z.string().optional().describe('Names the call for `control/cancel`.'),
};

/** One method of the host that the daemon serves. Its arguments are the keys of `params`, in their order. */
export interface ControlCall {
  readonly method: Method;
  /** The names of the arguments, in their order. */
  readonly arguments: readonly string[];
  /** Answers with items one after the other, as chunks of lists, and with nothing at its end. */
  readonly isStream: boolean;
  /** The argument that is, or has, the signal of a caller that may give up: `control/cancel` aborts it. */
  readonly signal: 'none' | 'options' | 'signal';
}

type Shape = Readonly<Record<string, z.ZodType>>;
type Kind = Partial<Pick<ControlCall, 'isStream' | 'signal'>>;

function control(name: string, summary: string, shape: Shape = {}, kind: Kind = {}): ControlCall {
  const params = z.strictObject({ ...shape, ...envelope });
  return {
    method: method(name, summary, params, z.strictObject({ value: z.unknown().optional() })),
    arguments: Object.keys(shape),
    isStream: kind.isStream ?? false,
    signal: kind.signal ?? 'none',
  };
}

/** Each as the method of the library of that name: what it takes, returns and throws stands there. */
const calls: Readonly<Record<string, readonly [summary: string, shape?: Shape, kind?: Kind]>> = {
  discover: ['Scans the search path again.'],
  list: ['Every known plugin.'],
  info: ['All there is to say about one plugin.', { id }],
  plugin: ['Finds one plugin, and says what it does at this moment.', { id }],
  inspect: ['Looks into a folder, an archive or a known plugin.', { pathOrId: z.string() }],
  verify: [
    'Checks every byte against signatures and trust.',
    {
      pathOrId: z.string(),
      options: z
        .strictObject({ minisign: z.strictObject({ signature: z.string(), key: z.string().optional() }).optional() })
        .optional(),
    },
  ],
  sign: ['Signs a plugin folder or archive.', { path, key: z.string().optional() }],
  package: ['Writes a plugin folder as an archive.', { path, output: path }],
  install: [
    'Verifies a plugin and makes it the active one of its name.',
    {
      path,
      options: z
        .strictObject({
          grantRequested: z.boolean().optional(),
          grant: keys.optional(),
          allowUnsigned: z.string().optional(),
          allowDowngrade: z.boolean().optional(),
          allowVersionReuse: z.string().optional(),
          allowPublisherChange: z.string().optional(),
          hooks: z.boolean().optional(),
        })
        .optional(),
    },
    { signal: 'options' },
  ],
  remove: [
    'Removes an installed plugin.',
    { id, options: z.strictObject({ keepData: z.boolean().optional() }).optional() },
  ],
  enable: [
    'Allows a plugin to run.',
    { id, options: z.strictObject({ allowPublisherChange: z.string().optional() }).optional() },
  ],
  disable: ['Keeps a plugin from running.', { id }],
  reset: ['Forgets crashes and lifts a quarantine.', { id }],
  grant: ['Grants what a plugin asks for.', { id, keys }],
  revoke: ['Takes grants away.', { id, keys }],
  dropUpdate: ['Drops the update that waits for consent.', { id }],
  permissions: ['What a plugin may do, and when it last did.', { id }],
  config: ['The configuration of a plugin, without its secrets.', { id }],
  setConfig: [
    'Changes the configuration of a plugin.',
    {
      id,
      change: z.strictObject({
        set: record.optional(),
        visible: z.array(z.string()).optional(),
        unset: z.array(z.string()).optional(),
        replace: record.optional(),
      }),
    },
  ],
  logs: [
    "The last lines of a plugin's log.",
    { id, options: z.strictObject({ lines, since: date.optional(), level: logLevel.optional() }).optional() },
  ],
  followLog: [
    "The last lines of a plugin's log, and each further one.",
    { id, options: z.strictObject({ lines }).optional() },
    { isStream: true, signal: 'options' },
  ],
  backup: ['Writes what the home is into one file.', { file: path }],
  'state.get': ['One value that plugins keep in the host.', { place, key: z.string() }],
  'state.set': [
    'Writes one value.',
    { place, key: z.string(), value: z.unknown(), options: z.strictObject({ ifVersion }).optional() },
  ],
  'state.delete': ['Deletes one value.', { place, key: z.string(), options: z.strictObject({ ifVersion }).optional() }],
  'state.list': ['Keys and their versions.', { place, prefix: z.string().optional() }],
  'state.update': ['Several changes, all or none.', { place, operations: z.array(z.looseObject({})) }],
  emit: [
    'Says that something happens, and asks the hooks of plugins about it.',
    { type: z.string(), data: z.unknown(), options: z.strictObject({ source: z.string().optional() }).optional() },
    { signal: 'options' },
  ],
  'events.list': ['The last events of the journal.', { filter: z.strictObject(eventFilter).optional() }],
  'events.follow': [
    'The last events of the journal, and then each further one.',
    { options: z.strictObject(eventFilter).optional() },
    { isStream: true, signal: 'options' },
  ],
  'events.deliver': ['Delivers to subscribed plugins what is not delivered yet.'],
  'events.status': ['How the journal and its consumers get on.'],
  'events.deadLetters': ['Events that plugins failed to handle.', { consumer: z.string().optional() }],
  'events.retry': ['Delivers one of them again.', { id: z.int().min(1) }],
  'events.drop': ['Forgets one of them.', { id: z.int().min(1) }],
  'mappings.run': ['Arms triggers and runs what events lead to.'],
  'mappings.list': ['Modes, mappings and triggers, with what is wrong with them.'],
  'mappings.test': ['What an event would lead to.', { trial: mappingTrial }],
  'mappings.fire': ['Does what an event would lead to.', { trial: mappingTrial }],
  'mappings.setMode': ['Puts a mode in force.', { name: z.string() }],
  listedPlugins: ['The plugins that config.toml lists.'],
  reload: ['Starts a plugin anew, without a gap for its callers.', { id }],
  rollback: ['Makes the version before active again.', { id }],
  statistics: ['What was counted of the launches and calls of a plugin.', { id }],
  health: ['What every known plugin does at this moment.'],
  metricsText: ['Statistics and health in the text format of Prometheus.'],
  diagnose: ['What is wrong with one plugin, and what to do next.', { id }],
  doctor: ['What this machine can enforce, and what is wrong.'],
  createKey: [
    'Makes a signing key.',
    { name: z.string(), options: z.strictObject({ role: role.optional() }).optional() },
  ],
  trustKey: [
    'Trusts a key of somebody else.',
    {
      key: z.strictObject({
        publicKey: z.string(),
        name: z.string(),
        scopes: z.array(z.string()),
        role: role.optional(),
        notAfter: z.string().optional(),
        replace: z.boolean().optional(),
      }),
    },
  ],
  revokeKey: ['Stops trusting a key.', { key: z.string(), reason: z.string() }],
  rotateKey: [
    'Lets a new key take over from an own one.',
    { name: z.string().optional(), options: z.strictObject({ cutoverAt: date.optional() }).optional() },
  ],
  importRotation: ['Follows a publisher to a new key.', { text: z.string(), file: z.string().optional() }],
  issueRevocations: [
    'Makes the next revocation list of an own root key.',
    {
      revocations: z.strictObject({
        key: z.string().optional(),
        keys: z.array(z.string()),
        bundles: z.array(z.string()),
        reason: z.string(),
        expires: date,
      }),
    },
  ],
  importRevocations: ['Takes a revocation list over.', { text: z.string(), file: z.string().optional() }],
  'keys.list': ['The own keys, without their secrets.'],
  'keys.get': ['One own key, without its secret.', { name: z.string().optional() }],
  'trust.list': ['The trusted keys.'],
  'trust.find': ['One trusted key.', { keyid: z.string() }],
  'trust.revocations': ['The revocation lists in force.'],
  'trust.revocationOf': ['Why a key is revoked.', { keyid: z.string(), plugin: z.string().optional() }],
  'trust.publisherOf': ['The first key of a line of rotations.', { keyid: z.string() }],
  'trust.rotationTo': ['The statement that made a key a successor.', { keyid: z.string() }],
  'audit.list': [
    'Entries of the audit log.',
    {
      filter: z
        .strictObject({
          plugin: z.string().optional(),
          action: z.string().optional(),
          since: date.optional(),
          limit: z.int().min(1).optional(),
        })
        .optional(),
    },
  ],
  'audit.verify': ['Whether the audit log is as it was written.'],
  'audit.head': ['The end of the chain of the audit log.'],
  'audit.lines': ['Every entry of the audit log, as it was written.', {}, { isStream: true }],
  'handle.start': ['Starts a plugin.', { id }],
  'handle.restart': ['Starts a plugin anew, without a gap for its callers.', { id }],
  'handle.stop': ['Stops a plugin.', { id, reason: z.string().optional() }],
  'handle.execute': [
    'Runs one capability. Progress and chunks come as they are sent.',
    {
      id,
      capability,
      input: z.unknown(),
      options: z
        .strictObject({
          timeoutMs: z.number().positive().optional(),
          failFast: z.boolean().optional(),
          context: z.looseObject({}).optional(),
        })
        .optional(),
    },
    { signal: 'options' },
  ],
  'handle.complete': ['Completes what somebody began to type.', { id, capability, partial: z.string() }],
  'handle.ping': ['Whether a running plugin answers.', { id }],
  'handle.changes': ['The states of a plugin, from the next one on.', { id }, { isStream: true, signal: 'signal' }],
};

/** Methods of the host by dotted names: `install`, `trust.list`, `handle.execute`. On the wire: `host/install`. */
export const controlCalls: ReadonlyMap<string, ControlCall> = new Map(
  Object.entries(calls).map(([name, [summary, shape, kind]]) => [name, control(`host/${name}`, summary, shape, kind)]),
);

const version = z.strictObject({
  control: z.int().describe('`controlVersion` of whoever speaks.'),
  mmm: z.string().describe('The version of mmm.'),
});

const token = z.string().max(200).describe('What `control.token` beside the socket holds.');

/** What can be asked of a daemon of any version, before `hello` and without it. Fields are only ever added. */
const status = z.looseObject({
  ...version.shape,
  pid: z.int(),
  home: z.string(),
  startedAt: z.iso.datetime(),
  safe: z.boolean().describe('Started with --safe: no plugin is started.'),
  clients: z.int().describe('Connections at this moment, this one included.'),
  settings: z
    .looseObject({
      file: z.string(),
      appliedAt: z.iso.datetime().describe('When the settings in force were read.'),
      problem: z.string().nullable().describe('Why the file as it is now was not taken over; null when it was.'),
    })
    .describe('config.toml of the home.'),
  plugins: z.array(z.looseObject({ plugin: z.string(), problem: z.string() })).describe('Listed ones not in use.'),
});
export type DaemonStatus = z.output<typeof status>;

const permissionRequest = z.looseObject({
  plugin: z.string(),
  version: z.string(),
  publisher: z.string().nullable(),
  fingerprint: z.string().nullable(),
  items: z.array(z.unknown()).min(1),
});

/** What is not a method of the host. */
export const controlMethods = {
  hello: method(
    'control/hello',
    'Opens a session. Refused unless both sides speak the same version.',
    z.strictObject({
      ...version.shape,
      token,
      client: z.strictObject({ kind: callContext.shape.caller.shape.kind, id: z.string().min(1).max(200) }),
      project: z.string().optional().describe('The folder the client works in, as an absolute path.'),
      interactive: z.boolean().default(false).describe('Somebody is there who can be asked.'),
    }),
    status,
  ),
  status: method('control/status', 'Who serves this home, and how it is.', z.looseObject({}), status),
  stop: method('control/stop', 'Stops every plugin and ends the daemon.', z.looseObject({ token }), z.looseObject({})),
  reload: method('control/reload', 'Reads config.toml again, as SIGHUP does.', z.looseObject({ token }), status),
  cancel: notification(
    'control/cancel',
    'Ends a call early; unlike $/cancelRequest it is still answered, with what became of it.',
    z.strictObject({ call: z.string() }),
  ),
  /** Daemon → client. */
  askUser: method(
    'client/ask_user',
    'Puts a question of a plugin to whoever made the call during which it asks. Its words: show them quoted.',
    z.looseObject({
      plugin: z.string(),
      message: z.string(),
      kind: z.enum(['text', 'confirm', 'select', 'secret']),
      options: z.array(z.string()),
    }),
    z.strictObject({ answer: z.union([z.string(), z.boolean()]) }),
  ),
  askPermission: method(
    'client/ask_permission',
    'Puts a question to whoever made the call that needs the permission.',
    permissionRequest,
    z.strictObject({ answer: z.enum(['once', 'always', 'deny']) }),
  ),
} as const;
