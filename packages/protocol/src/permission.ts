import * as z from 'zod';

const common = {
  reason: z.string().min(1).max(400).optional().describe('Why the plugin needs it: shown to the user who decides.'),
  optional: z.boolean().optional().describe('The plugin also works without it.'),
};
/** A name that may stand in an environment: what POSIX calls portable, with an optional trailing `*`. */
const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*\*?$/, 'must be a variable name, at most with a trailing *');
const programName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'must be the bare name of a program');

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const networkHostPattern = new RegExp(
  `^(?:([a-z][a-z0-9+.-]*)://)?((?:\\*\\.)?${label}(?:\\.${label})*|\\[[0-9a-f:.]+\\])(?::(\\d{1,5}|\\*))?$`,
);
const portMax = 65_535;
const schemePorts = new Map([
  ['http', 80],
  ['ws', 80],
  ['mqtt', 1883],
  ['mqtts', 8883],
]);
const defaultPort = 443;

/** `[scheme://]host[:port]`; the port defaults to the scheme's, or 443. `*.host` covers its subdomains. */
export const networkHost = z
  .string()
  .max(300)
  .regex(networkHostPattern, 'must be host[:port] in lower-case ASCII, with an optional scheme')
  .refine((host) => {
    const { port } = parseNetworkHost(host);
    return port === '*' || (port >= 1 && port <= portMax);
  }, `must have a port from 1 to ${portMax}`);

/** What a network permission covers. A `host` that starts with `*.` means every name below it, not itself. */
export interface NetworkAddress {
  readonly scheme: string | undefined;
  readonly host: string;
  readonly port: number | '*';
}

/** Reads `[scheme://]host[:port]`, with the default port filled in. The text must match `networkHost`. */
export function parseNetworkHost(text: string): NetworkAddress {
  const [, scheme, host = text, port] = networkHostPattern.exec(text) ?? [];
  if (port === '*') return { scheme, host, port };
  return { scheme, host, port: port === undefined ? (schemePorts.get(scheme ?? '') ?? defaultPort) : Number(port) };
}

/** The fields of one entry of each kind, as they stand in the manifest, in grants and in `initialize`. */
const entryShapes = {
  filesystem: {
    path: z
      .string()
      .min(1)
      .max(4096)
      .describe(`A folder or file: absolute, or below \`\${project}\`, \`\${home}\` or \`\${plugin.data}\`.`),
    access: z.enum(['read', 'write', 'execute']).describe('What may be done there; write and execute include read.'),
    ...common,
  },
  network: {
    host: networkHost.describe(
      '`[scheme://]host[:port]`, port 443 by default; `*.host` covers its subdomains, `:*` every port.',
    ),
    private: z.boolean().optional().describe('The host may resolve to a private or loopback address.'),
    ...common,
  },
  environment: {
    name: environmentName.describe('A variable of the host, or with a trailing `*` all that begin so.'),
    ...common,
  },
  commands: { name: programName.describe('A program that the plugin may start, by its bare name.'), ...common },
  devices: {
    name: z.enum(['audio', 'midi']).describe('The devices it may use: sound cards to play, MIDI ports.'),
    ...common,
  },
  system_control: {
    name: z.enum(['volume', 'display', 'power']).describe('What it may control; `display` and `power` are refused.'),
    ...common,
  },
  messages: { to: z.string().min(1).max(200).describe('A plugin it may send messages to.'), ...common },
  compose: {
    plugin: z.string().min(1).max(200).describe('A plugin it may call.'),
    capability: z.string().min(1).max(200).describe('The capability it may call there.'),
    ...common,
  },
  state: { scope: z.enum(['plugin', 'project', 'global']).describe('The state it may read and write.'), ...common },
  model: { ...common },
  project: { access: z.enum(['read', 'write']).describe('What it may do with the project and its specs.'), ...common },
} as const;

/** One entry of each permission list of the manifest: unknown keys refused. */
export const permissionEntries = {
  filesystem: z.strictObject(entryShapes.filesystem),
  network: z.strictObject(entryShapes.network),
  environment: z.strictObject(entryShapes.environment),
  commands: z.strictObject(entryShapes.commands),
  devices: z.strictObject(entryShapes.devices),
  system_control: z.strictObject(entryShapes.system_control),
  messages: z.strictObject(entryShapes.messages),
  compose: z.strictObject(entryShapes.compose),
  state: z.strictObject(entryShapes.state),
  model: z.strictObject(entryShapes.model),
  project: z.strictObject(entryShapes.project),
} as const;

export type PermissionKind = keyof typeof permissionEntries;
export const permissionKinds = Object.keys(permissionEntries) as readonly PermissionKind[];

/** More than anybody can judge; every entry is asked about, shown and recorded. */
const entriesMax = 200;
const listOf = <E extends z.ZodType>(entry: E) => z.array(entry).max(entriesMax);

/** All lists, every one optional: `[permissions]` of a manifest. */
export const permissionSet = z.strictObject({
  filesystem: listOf(permissionEntries.filesystem).optional().describe('Files and folders outside its own.'),
  network: listOf(permissionEntries.network).optional().describe('Hosts it may connect to.'),
  environment: listOf(permissionEntries.environment).optional().describe('Environment variables it gets.'),
  commands: listOf(permissionEntries.commands).optional().describe('Other programs it may start.'),
  devices: listOf(permissionEntries.devices).optional().describe('Audio and MIDI.'),
  system_control: listOf(permissionEntries.system_control).optional().describe('Volume, display, power.'),
  messages: listOf(permissionEntries.messages).optional().describe('Plugins it may send messages to.'),
  compose: listOf(permissionEntries.compose).optional().describe('Capabilities of other plugins it may call.'),
  state: listOf(permissionEntries.state).optional().describe('Stored state it may use.'),
  model: listOf(permissionEntries.model).optional().describe('Asking a model provider.'),
  project: listOf(permissionEntries.project).optional().describe('The project the host works in.'),
});
/**
 * The granted permissions as they cross the wire: the same lists, but what is unknown is ignored, because the two
 * ends may come from different releases.
 */
export const grantedPermissions = z
  .looseObject({
    filesystem: z.array(z.looseObject(entryShapes.filesystem)).optional(),
    network: z.array(z.looseObject(entryShapes.network)).optional(),
    environment: z.array(z.looseObject(entryShapes.environment)).optional(),
    commands: z.array(z.looseObject(entryShapes.commands)).optional(),
    devices: z.array(z.looseObject(entryShapes.devices)).optional(),
    system_control: z.array(z.looseObject(entryShapes.system_control)).optional(),
    messages: z.array(z.looseObject(entryShapes.messages)).optional(),
    compose: z.array(z.looseObject(entryShapes.compose)).optional(),
    state: z.array(z.looseObject(entryShapes.state)).optional(),
    model: z.array(z.looseObject(entryShapes.model)).optional(),
    project: z.array(z.looseObject(entryShapes.project)).optional(),
  })
  .meta({ id: 'Permissions', description: 'The granted permissions, in the shape of `[permissions]`.' });
export type PermissionSet = z.infer<typeof permissionSet>;
export type PermissionEntry<K extends PermissionKind> = z.infer<(typeof permissionEntries)[K]>;

/** One permission of any kind: what is asked, granted, denied, audited and shown. */
export type Permission = { readonly [K in PermissionKind]: { readonly kind: K } & PermissionEntry<K> }[PermissionKind];

/** Every entry of a set as a flat list, in the order of the kinds above. */
export function listPermissions(set: PermissionSet): Permission[] {
  return permissionKinds.flatMap((kind) => (set[kind] ?? []).map((entry) => ({ kind, ...entry }) as Permission));
}

/** The inverse of `listPermissions`. */
export function permissionSetOf(permissions: readonly Permission[]): PermissionSet {
  const set: Record<string, unknown[]> = {};
  for (const { kind, ...entry } of permissions) {
    const list = set[kind] ?? [];
    list.push(entry);
    set[kind] = list;
  }
  return permissionSet.parse(set);
}

/** The part after `kind=`: what identifies a permission within its kind, without reason and optional. */
function permissionValue(permission: Permission): string {
  switch (permission.kind) {
    case 'filesystem':
      return `${permission.access}:${permission.path}`;
    case 'network':
      return networkValue(permission.host, permission.private === true);
    case 'environment':
    case 'commands':
    case 'devices':
    case 'system_control':
      return permission.name;
    case 'messages':
      return permission.to;
    case 'compose':
      return `${permission.plugin}:${permission.capability}`;
    case 'state':
      return permission.scope;
    case 'model':
      return '*';
    case 'project':
      return permission.access;
  }
}

/** With the port always written, so that `h` and `h:443` are one permission. */
function networkValue(text: string, isPrivate: boolean): string {
  const { scheme, host, port } = parseNetworkHost(text);
  return `${scheme === undefined ? '' : `${scheme}://`}${host}:${port}${isPrivate ? '!private' : ''}`;
}

/**
 * The one spelling of a permission: `filesystem=read:/p`, `network=h:443`, `state=project`. It is what `--grant`
 * takes, what grants are stored under and what the audit log names.
 */
export function permissionKey(permission: Permission): string {
  return `${permission.kind}=${permissionValue(permission)}`;
}

/** Reads `kind=value` as `--grant` takes it. Returns a sentence that says what is wrong instead of throwing. */
export function parsePermissionKey(text: string): Permission | { readonly problem: string } {
  const at = text.indexOf('=');
  const kind = at < 0 ? text : text.slice(0, at);
  const value = at < 0 ? '' : text.slice(at + 1);
  if (!(permissionKinds as readonly string[]).includes(kind)) {
    return { problem: `"${text}" is not a permission: it starts with one of ${permissionKinds.join(', ')}, then "=".` };
  }
  const entry = entryOf(kind as PermissionKind, value);
  const parsed = permissionEntries[kind as PermissionKind].safeParse(entry);
  if (!parsed.success) return { problem: `"${text}" is not a ${kind} permission: ${z.prettifyError(parsed.error)}` };
  return { kind, ...parsed.data } as Permission;
}

function entryOf(kind: PermissionKind, value: string): unknown {
  const colon = value.indexOf(':');
  switch (kind) {
    case 'filesystem':
      return { access: value.slice(0, Math.max(colon, 0)), path: value.slice(colon + 1) };
    case 'network':
      return value.endsWith('!private') ? { host: value.slice(0, -8), private: true } : { host: value };
    case 'environment':
    case 'commands':
    case 'devices':
    case 'system_control':
      return { name: value };
    case 'messages':
      return { to: value };
    case 'compose':
      return { plugin: value.slice(0, Math.max(colon, 0)), capability: value.slice(colon + 1) };
    case 'state':
      return { scope: value };
    case 'model':
      return {};
    case 'project':
      return { access: value };
  }
}
