import * as z from 'zod';
import { capabilityKind } from './capability.ts';
import { permissionSet } from './permission.ts';

/** `name` or `publisher/name`; on disk the slash becomes `__`. */
export const pluginName = z
  .string()
  .max(80)
  .regex(
    /^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*(?:\/[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*)?$/,
    'must be lower-case words joined by "_" or "-", at most with a publisher before a "/"',
  );
const numericPart = '(?:0|[1-9]\\d*)';
const prereleasePart = `(?:${numericPart}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const buildPart = '[0-9A-Za-z-]+';
/** SemVer 2.0.0, as its grammar has it. */
export const semverVersion = z
  .string()
  .max(100)
  .regex(
    new RegExp(
      `^${numericPart}\\.${numericPart}\\.${numericPart}` +
        `(?:-${prereleasePart}(?:\\.${prereleasePart})*)?(?:\\+${buildPart}(?:\\.${buildPart})*)?$`,
    ),
    'must be a semantic version such as 1.0.0',
  );
const versionRange = z.string().min(1).max(256);
const text = (max: number) => z.string().min(1).max(max);
const url = z.url({ protocol: /^https?$/, error: 'must be an http or https address' });
/** A path inside the bundle: relative, forward slashes, no dot segments. */
export const bundlePath = z
  .string()
  .min(1)
  .max(200)
  .regex(
    /^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)(?!.*\/$)[\x20-\x7e]+$/,
    'must be a relative path inside the plugin folder',
  )
  .refine((path) => !path.includes('\\'), 'must use forward slashes');
const schemaSource = z.union([bundlePath, z.record(z.string(), z.unknown())]);
const license = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9][A-Za-z0-9.+:() -]*$/, 'must be an SPDX expression such as MIT');

export const runtimes = ['executable', 'node', 'python', 'wasi', 'dylib', 'container', 'mcp'] as const;
export const sandboxLevels = ['none', 'process', 'wasm', 'container'] as const;
export const sandboxLevel = z.enum(sandboxLevels);
export type SandboxLevel = z.infer<typeof sandboxLevel>;
export const framings = ['ndjson', 'content-length'] as const;
export const framing = z.enum(framings);
export type Framing = z.infer<typeof framing>;

/** The operating system ends an argument at this character, whatever follows it. */
const argument = text(4096).refine((word) => !word.includes('\0'), 'must not contain the character U+0000');
const command = z
  .array(argument)
  .min(1)
  .max(64)
  .describe('The program and its arguments: a path inside the plugin folder, or a bare name the host finds.');

export const pluginSection = z.strictObject({
  name: pluginName.describe('Lower-case words joined by `_` or `-`; a publisher may stand before a `/`.'),
  display_name: text(80).optional().describe('The name people see.'),
  version: semverVersion.describe('A semantic version.'),
  description: text(400).describe('One sentence: what it does.'),
  authors: z.array(text(200)).optional().describe('Names, with an address if you like.'),
  license: license.describe('An SPDX expression.'),
  homepage: url.optional().describe('http or https.'),
  repository: url.optional().describe('http or https.'),
  issues: url.optional().describe('Where to report a problem.'),
  documentation: url.optional().describe('http or https.'),
  keywords: z.array(text(50)).max(20).optional().describe('Words to find it by.'),
  icon: bundlePath.optional().describe('An image in the plugin folder.'),
  mmm: versionRange.default('>=0').describe('The versions of mmm it works with.'),
  protocol: z.array(z.int().min(1)).min(1).default([1]).describe('The wire versions it speaks.'),
  runtime: z.enum(runtimes).default('executable').describe('What runs it.'),
  command: command.optional(),
  framing: framing.default('ndjson').describe('How the host writes messages; it reads either.'),
  sandbox: sandboxLevel.default('process').describe('The least confinement it accepts.'),
  exclusive: z.boolean().default(false).describe('At most one process of it may run at a time.'),
  standby: z.enum(['off', 'loaded', 'initialized']).default('off').describe('A spare process kept ready.'),
  important: z.boolean().default(false).describe('Started with the daemon, and its failure is reported loudly.'),
});

export const capabilitySection = z.strictObject({
  kind: capabilityKind.describe('What it is; fixes how it is called.'),
  name: z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a name of letters, digits, ".", "_" and "-"')
    .describe('The name it is called by, once for each kind.'),
  title: text(80).optional().describe('The name people see.'),
  description: text(1000).optional().describe('What it does, for people and for models that choose tools.'),
  aliases: z.array(text(128)).max(16).optional().describe('Other names for it.'),
  input: schemaSource.optional().describe('JSON Schema of the input: a file of the folder, or the schema itself.'),
  output: schemaSource.optional().describe('JSON Schema of the output, in the same two ways.'),
  idempotent: z.boolean().default(false).describe('Calling it twice does no more than calling it once.'),
  destructive: z.boolean().default(false).describe('It deletes or overwrites what cannot be had back.'),
  timeout_s: z.number().positive().max(86_400).optional().describe('Silence after which a call fails, in seconds.'),
  events: z.array(text(200)).optional().describe('Hooks: globs of the event types it handles.'),
  durable: z.boolean().default(true).describe('Triggers: events not yet acknowledged survive a crash.'),
  config: schemaSource.optional().describe('JSON Schema of the configuration of one instance.'),
  variables: z.record(z.string(), z.unknown()).optional().describe('Prompts: the variables of the template.'),
  template: text(100_000).optional().describe('Prompts: the text. With it no program is needed.'),
  format: text(80).optional().describe('Reporters: the media type of the text.'),
});
export type CapabilitySection = z.infer<typeof capabilitySection>;

export const limitsSection = z.strictObject({
  memory_mb: z.number().positive().optional().describe('Memory of the process tree, in MB.'),
  cpu: z.number().positive().optional().describe('Processor cores it may use.'),
  processes: z.int().min(1).optional().describe('Processes and threads.'),
  files: z.int().min(8).optional().describe('Open files.'),
  disk_mb: z.number().positive().optional().describe('Its own folder, in MB.'),
  message_mb: z.number().positive().max(64).optional().describe('Largest message, in MiB; 8 without it.'),
  concurrency: z.int().min(1).max(4096).default(64).describe('Calls in flight.'),
  calls_per_second: z.number().positive().optional().describe('Calls it takes in a second.'),
  start_timeout_s: z.number().positive().max(120).optional().describe('Time to answer `initialize`, in seconds.'),
  idle_stop_s: z.number().min(0).optional().describe('Stopped after so long without a call, in seconds; 0 never.'),
});

/** More than anybody waits for without a word; what takes longer belongs into a call that reports progress. */
const installTimeoutMaxS = 600;
export const installSection = z.strictObject({
  command: command.describe(
    'What prepares the plugin once, before its first start: run as the plugin is, confined and under its grants, ' +
      'with nothing on its standard input.',
  ),
  timeout_s: z.number().positive().max(installTimeoutMaxS).default(60).describe('Ended after this, in seconds.'),
});

export const restartSection = z.strictObject({
  policy: z.enum(['always', 'on_failure', 'never']).default('on_failure').describe('When it is started again.'),
  max: z.int().min(0).optional().describe('Crashes within the window before it is quarantined.'),
  window_s: z.number().positive().optional().describe('The window, in seconds.'),
  backoff_ms: z.number().min(0).optional().describe('First pause before a restart, in milliseconds.'),
  backoff_max_s: z.number().positive().optional().describe('Longest pause, in seconds.'),
});

export const dependencySection = z.strictObject({
  plugin: pluginName.describe('The plugin it needs.'),
  version: versionRange.describe('The versions that will do.'),
  optional: z.boolean().default(false).describe('It also works without it.'),
});

const targetName = z
  .string()
  .regex(/^(linux|darwin|win32)-(x64|arm64|ia32|riscv64)$/, 'must be <os>-<arch>, such as linux-x64');

/** `plugin.toml` or `plugin.yaml`: one schema, unknown keys refused. */
export const manifest = z
  .strictObject({
    schema: z.literal(1).describe('The version of this schema.'),
    plugin: pluginSection,
    targets: z.record(targetName, z.strictObject({ command })).optional(),
    capabilities: z.array(capabilitySection).max(500).default([]),
    dependencies: z.array(dependencySection).max(100).default([]),
    subscriptions: z
      .strictObject({
        events: z.array(text(200)).max(200).default([]).describe('Globs of event types; they survive restarts.'),
      })
      .optional(),
    permissions: permissionSet.default({}),
    config: z
      .strictObject({
        schema: bundlePath.optional().describe('JSON Schema 2020-12 file of the configuration.'),
        defaults: z.record(z.string(), z.unknown()).optional().describe('The configuration before a user changes it.'),
      })
      .optional(),
    install: installSection.optional(),
    limits: limitsSection.default({ concurrency: 64 }),
    restart: restartSection.default({ policy: 'on_failure' }),
  })
  .superRefine((value, context) => {
    if (needsCommand(value.capabilities) && value.plugin.command === undefined && value.targets === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['plugin', 'command'],
        message: 'is required: the program to start, such as command = ["node", "dist/plugin.cjs"]',
      });
    }
    for (const { path, message } of repeatedNames(value.capabilities)) {
      context.addIssue({ code: 'custom', path: ['capabilities', ...path], message });
    }
  });
export type Manifest = z.infer<typeof manifest>;
/** A manifest as its author may write it, defaults left out. */
export type ManifestInput = z.input<typeof manifest>;

/** Only a plugin of nothing but prompt templates has no program. */
function needsCommand(capabilities: readonly CapabilitySection[]): boolean {
  return (
    capabilities.length === 0 || capabilities.some(({ kind, template }) => kind !== 'prompt' || template === undefined)
  );
}

/** A name or alias must lead to one capability of its kind. */
function repeatedNames(capabilities: readonly CapabilitySection[]) {
  const seen = new Set<string>();
  const repeated: { path: (string | number)[]; message: string }[] = [];
  capabilities.forEach(({ kind, name, aliases = [] }, index) => {
    [name, ...aliases].forEach((word, position) => {
      const path = position === 0 ? [index, 'name'] : [index, 'aliases', position - 1];
      if (seen.has(`${kind} ${word}`)) repeated.push({ path, message: `repeats the ${kind} "${word}"` });
      seen.add(`${kind} ${word}`);
    });
  });
  return repeated;
}
