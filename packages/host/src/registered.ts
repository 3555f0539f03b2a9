import { createHash } from 'node:crypto';
import {
  listPermissions,
  type ManifestInput,
  MmmError,
  manifest as manifestSchema,
  permissionKey,
} from '@mmm/protocol';
import { type Clock, memoryTransportPair, type Transport } from '@mmm/rpc';
import type { PluginSpec } from './discover/spec.ts';
import type { PermittedPlugin } from './permit/permitted.ts';
import type { EnforcementReport } from './sandbox/launch-command.ts';
import { issuesSentence, zodIssues } from './schema/field-issues.ts';
import { keysKnownAt } from './schema/known-keys.ts';
import { suggest } from './source/suggest.ts';
import type { Child, ChildExit } from './spawn/child.ts';

/**
 * A plugin that is part of the embedding program: trusted code, same process, same protocol. It is not verified and not
 * confined, because the program already runs it; everything from the handshake on is as with any other plugin.
 */
export interface RegisteredPlugin {
  readonly manifest: ManifestInput;
  /** Starts to serve the protocol on the transport; the SDK's `serve` does. Called once per session. */
  serve(transport: Transport): void;
}

/** Throws MANIFEST_INVALID like a file would, with the program as the place. */
export function registeredSpec(plugin: RegisteredPlugin): PluginSpec {
  const parsed = manifestSchema.safeParse(withCommand(plugin.manifest));
  if (!parsed.success) {
    const known = { keys: (path: readonly PropertyKey[]) => keysKnownAt(manifestSchema, path), suggest };
    const fields = zodIssues('', parsed.error, withCommand(plugin.manifest), known);
    const message = `The manifest of the registered plugin is not valid: ${issuesSentence(fields)}.`;
    throw new MmmError('MANIFEST_INVALID', message, {
      file: '(registered by the program)',
      line: 0,
      column: 0,
      issues: fields.map((issue) => ({ line: 0, column: 0, ...issue })),
    });
  }
  const manifestSha256 = createHash('sha256').update(JSON.stringify(parsed.data)).digest('hex');
  return Object.freeze({
    id: parsed.data.plugin.name,
    directory: '',
    origin: 'registered' as const,
    manifestFile: '',
    manifestSha256,
    manifest: parsed.data,
  });
}

/** The manifest schema asks for a command; a registered plugin has none to give. */
function withCommand(input: ManifestInput): ManifestInput {
  return { ...input, plugin: { command: ['(in process)'], ...input.plugin } };
}

export function registeredPermitted(spec: PluginSpec): PermittedPlugin {
  const granted = listPermissions(spec.manifest.permissions);
  return {
    spec,
    bundleSha256: '',
    bundleDirectory: '',
    trust: { kind: 'registered' },
    // It is the program itself: what it asks for it has.
    granted,
    automatic: granted.map(permissionKey),
    stored: [],
  } as unknown as PermittedPlugin;
}

/** Nothing is confined: the plugin is the program itself. */
export const registeredEnforcement: EnforcementReport = {
  filesystem: 'declared',
  network: 'declared',
  environment: 'declared',
  commands: 'declared',
  processes: 'declared',
  ipc: 'declared',
  memory: 'declared',
};

/** Makes an in-process plugin look like a child: its "exit" is the end of its side of the transport. */
export function registeredChild(plugin: RegisteredPlugin, clock: Clock): Child {
  const [hostSide, pluginSide] = memoryTransportPair();
  let end: (exit: ChildExit) => void = () => undefined;
  const exited = new Promise<ChildExit>((resolve) => {
    end = resolve;
  });
  const finish = (exit: ChildExit): void => {
    pluginSide.input.destroy();
    pluginSide.output.destroy();
    end(exit);
  };
  pluginSide.input.once('end', () => finish({ code: 0, signal: null }));
  pluginSide.output.once('close', () => finish({ code: 0, signal: null }));
  plugin.serve(pluginSide);
  return {
    pid: 0,
    startedAtMs: clock.now(),
    transport: hostSide,
    exited,
    stderrTail: () => '',
    closeInput: () => {
      hostSide.output.end();
    },
    kill: (signal) => finish({ code: null, signal }),
  };
}
