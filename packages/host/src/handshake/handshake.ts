import {
  type CapabilityRef,
  hostVersion,
  type InitializeResult,
  type Manifest,
  MmmError,
  permissionSetOf,
  pluginMethods,
  protocolFeatures,
  protocolVersion,
  RpcError,
  supportedProtocolVersions,
} from '@mmm/protocol';
import {
  CallFailed,
  type Clock,
  type Connection,
  type ConnectionFault,
  type ConnectionLimits,
  type ConnectionOptions,
  connect,
} from '@mmm/rpc';
import { OpenCalls } from '../clients/open-calls.ts';
import { redactedConnection } from '../config/redacted-connection.ts';
import type { Redactor } from '../config/redactor.ts';
import { safeLines, safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import type { PermittedPlugin } from '../permit/permitted.ts';
import type { LaunchCommand } from '../sandbox/launch-command.ts';
import { issuesSentence } from '../schema/field-issues.ts';
import type { Child, ChildExit } from '../spawn/child.ts';
import { exitReason, LiveSession, type StopChild } from './live-session.ts';
import type { Session } from './session.ts';

const mebibyte = 1024 * 1024;

/** What `initialize` carries besides the plugin itself, and where what the plugin says goes. */
export interface HandshakeServices {
  readonly clock: Clock;
  readonly locale: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Takes the plugin's secrets out of what is said about it; undefined when it has none. */
  readonly redactor: Redactor | undefined;
  readonly stopChild: StopChild;
  /** Clock reading from before the spawn, for `loadMs`. */
  readonly launchedAtMs: number;
  /** What this plugin may ask of the host: requests and notifications, each checked against its grants. */
  hostApi(plugin: PermittedPlugin, calls: OpenCalls): Pick<ConnectionOptions, 'requests' | 'notifications'>;
  /** Asked when something is overdue: while somebody debugs the plugin, nothing is. */
  isDebugged(child: Child): boolean;
  /** Bytes of its standard output that are read in a second. Default: any number. */
  readonly outputBytesPerSecond?: number;
  /** A line on stdout that was not a message. */
  onStray(line: string, cut: boolean): void;
  /** An irregularity on the wire, named for the log. */
  onFault(fault: ConnectionFault): void;
}

/**
 * Opens the session: sends `initialize`, checks the answer, sends `initialized`. Resolves with a live session or
 * throws HANDSHAKE_REFUSED, START_TIMEOUT or LAUNCH_FAILED, in which case the child is gone.
 */
export async function handshake(
  child: Child,
  command: Pick<LaunchCommand, 'pluginDirectory' | 'dataDirectory' | 'enforcement'>,
  plugin: PermittedPlugin,
  services: HandshakeServices,
  signal?: AbortSignal,
): Promise<Session> {
  const turn = new Turn();
  const calls = new OpenCalls();
  const { manifest } = plugin.spec;
  const { redactor } = services;
  const opened = connect(child.transport, {
    framing: manifest.plugin.framing,
    clock: services.clock,
    limits: connectionLimits(manifest, services.outputBytesPerSecond),
    ...services.hostApi(plugin, calls),
    onStray: (line, info) => {
      child.addToTail?.(line);
      services.onStray(line, info.cut);
    },
    onFault: services.onFault,
    holdsDeadlines: () => services.isDebugged(child),
    // The order of the bytes decides: what stands behind the answer may be read before anybody took the answer.
    accept: (method, kind) => turn.accept(method, kind, opened.inFlight === 0),
  });
  const connection = redactor === undefined ? opened : redactedConnection(opened, redactor);
  // Answers of a dying process are drained first; then its calls are settled although the pipes may stay open.
  void child.exited.then(() => connection.close('the process ended'));
  try {
    const answer = await requestInitialize(connection, child, command, plugin, services, turn, signal);
    const offer = checkAnswer(answer, plugin, child);
    turn.open();
    connection.notify(pluginMethods.initialized, {});
    return new LiveSession({
      child,
      connection,
      openCalls: calls,
      plugin,
      ...offer,
      enforcement: command.enforcement,
      loadMs: services.clock.monotonic() - services.launchedAtMs,
      clock: services.clock,
      stopChild: services.stopChild,
      isDebugged: () => services.isDebugged(child),
    });
  } catch (error) {
    connection.close('the handshake failed');
    child.kill('SIGKILL');
    await child.exited;
    throw error;
  }
}

function connectionLimits({ limits }: Manifest, inboundBytesPerSecond: number | undefined): Partial<ConnectionLimits> {
  return {
    ...(limits.message_mb === undefined ? {} : { messageBytes: Math.round(limits.message_mb * mebibyte) }),
    ...(inboundBytesPerSecond === undefined ? {} : { inboundBytesPerSecond }),
  };
}

/** Until initialize is answered only `log` may pass; any other request then fails the launch. */
class Turn {
  readonly violated: Promise<string>;
  /** The request that came too early. An answer right behind it may be handled before anybody waited for this. */
  violation: string | undefined;
  #open = false;
  #violate: (method: string) => void = () => undefined;

  constructor() {
    this.violated = new Promise((resolve) => {
      this.#violate = resolve;
    });
  }

  open(): void {
    this.#open = true;
  }

  accept(method: string, kind: 'request' | 'notification', isAnswered: boolean): true | RpcError {
    if (this.#open || isAnswered || method === 'log') return true;
    if (kind === 'request') {
      this.violation ??= method;
      this.#violate(method);
    }
    return RpcError.of('NotInitialized', `"${safeText(method)}" came before initialize was answered.`);
  }
}

async function requestInitialize(
  connection: Connection,
  child: Child,
  command: Pick<LaunchCommand, 'pluginDirectory' | 'dataDirectory'>,
  plugin: PermittedPlugin,
  services: HandshakeServices,
  turn: Turn,
  signal: AbortSignal | undefined,
): Promise<InitializeResult> {
  const { id, manifest } = plugin.spec;
  const seconds = manifest.limits.start_timeout_s;
  const timeoutMs = seconds === undefined ? hostLimits.startTimeoutMs : seconds * 1000;
  const answered = connection.call(
    pluginMethods.initialize,
    {
      protocol: { version: protocolVersion, features: [...protocolFeatures] },
      host: { name: 'mmm', version: hostVersion },
      plugin: {
        id,
        version: manifest.plugin.version,
        directory: command.pluginDirectory,
        data_directory: command.dataDirectory,
      },
      config: { ...services.config },
      permissions: permissionSetOf(plugin.granted),
      locale: services.locale,
    },
    { timeoutMs, ...(signal === undefined ? {} : { signal }) },
  );
  const outOfTurn = turn.violated.then((method) => Promise.reject(tooEarly(method, id, child)));
  try {
    const answer = await Promise.race([answered, outOfTurn]);
    if (turn.violation !== undefined) throw tooEarly(turn.violation, id, child);
    return answer;
  } catch (error) {
    answered.catch(() => undefined);
    throw await launchError(error, plugin, child, timeoutMs);
  }
}

function tooEarly(method: string, id: string, child: Child): MmmError<'HANDSHAKE_REFUSED'> {
  return new MmmError(
    'HANDSHAKE_REFUSED',
    `Plugin "${id}" sent the request "${safeText(method)}" before it answered initialize. ` +
      'Only log is accepted until then.',
    { plugin: id, reason: `request ${safeText(method)} out of turn`, stderrTail: child.stderrTail() },
  );
}

/** Replaces what the pipe saw by what happened to the process: its exit, its own words, or its silence. */
async function launchError(error: unknown, plugin: PermittedPlugin, child: Child, timeoutMs: number): Promise<unknown> {
  const { id } = plugin.spec;
  if (error instanceof RpcError) {
    const reason = safeText(error.message, 1000);
    return new MmmError('HANDSHAKE_REFUSED', `Plugin "${id}" answered initialize with an error: ${reason}`, {
      plugin: id,
      reason,
      stderrTail: child.stderrTail(),
    });
  }
  if (!(error instanceof CallFailed)) return error;
  if (error.reason === 'timeout') {
    const stderrTail = child.stderrTail();
    return new MmmError(
      'START_TIMEOUT',
      withTail(`Plugin "${id}" did not answer initialize within ${timeoutMs / 1000} s.`, stderrTail),
      { plugin: id, timeoutMs, stderrTail },
    );
  }
  if (error.reason === 'cancelled') return error;
  if (error.reason === 'closed') {
    child.kill('SIGKILL');
    const exit = await child.exited;
    const stderrTail = child.stderrTail();
    if (exit.sandboxFailed === true) return sandboxError(id, exit, stderrTail);
    const how = howItEnded(exit, child);
    return new MmmError('LAUNCH_FAILED', withTail(`Plugin "${id}" ${how} before it answered initialize.`, stderrTail), {
      plugin: id,
      stage: 'handshake',
      reason: how,
      stderrTail,
      exit: exitReason(exit, undefined, stderrTail, child.breach),
    });
  }
  const issues = issuesSentence(error.issues ?? []);
  const reason = safeText(issues === '' ? error.message : issues, 2000);
  return new MmmError('HANDSHAKE_REFUSED', `Plugin "${id}" gave an answer to initialize that is not valid: ${reason}`, {
    plugin: id,
    reason,
    stderrTail: child.stderrTail(),
  });
}

function howItEnded({ code, signal }: ChildExit, { breach }: Child): string {
  if (breach !== undefined) return `was ended because ${breach.detail},`;
  return signal === null ? `exited with code ${code ?? -1}` : `was ended by ${signal}`;
}

/** Not one byte of the plugin ran: what failed is between bubblewrap and the machine. */
function sandboxError(id: string, exit: ChildExit, stderrTail: string): MmmError {
  const sentence = withTail(`Plugin "${id}" was not started: its sandbox could not be set up.`, stderrTail);
  const reason = 'the sandbox could not be set up';
  const data = { plugin: id, stage: 'sandbox', reason, stderrTail } as const;
  return new MmmError('LAUNCH_FAILED', sentence, { ...data, exit: exitReason(exit, undefined, stderrTail) });
}

function withTail(sentence: string, stderrTail: string): string {
  return stderrTail === '' ? sentence : `${sentence} Its last lines:\n${safeLines(stderrTail)}`;
}

/** `{}` is valid: version 1, all capabilities of the manifest. A plugin may leave capabilities out, never add one. */
function checkAnswer(
  answer: InitializeResult,
  plugin: PermittedPlugin,
  child: Child,
): { capabilities: readonly CapabilityRef[]; features: ReadonlySet<string> } {
  const { id, manifest } = plugin.spec;
  const refuse = (reason: string): never => {
    throw new MmmError('HANDSHAKE_REFUSED', `Plugin "${id}" ${reason}`, {
      plugin: id,
      reason,
      stderrTail: child.stderrTail(),
    });
  };
  const version = answer.protocol?.version ?? protocolVersion;
  if (!supportedProtocolVersions.includes(version)) {
    refuse(`speaks protocol version ${version}; this host speaks ${supportedProtocolVersions.join(', ')}.`);
  }
  const named = answer.plugin;
  if (named !== undefined && (named.name !== id || named.version !== manifest.plugin.version)) {
    refuse(
      `says it is "${safeText(named.name)}" ${safeText(named.version)}; ` +
        `its manifest says "${id}" ${manifest.plugin.version}.`,
    );
  }
  const declared = manifest.capabilities.map(({ kind, name }): CapabilityRef => ({ kind, name }));
  const offered = answer.capabilities?.map(({ kind, name }): CapabilityRef => ({ kind, name })) ?? declared;
  for (const { kind, name } of offered) {
    if (!declared.some((capability) => capability.kind === kind && capability.name === name)) {
      refuse(`offers the ${kind} "${safeText(name)}", which its signed manifest does not declare.`);
    }
  }
  return {
    capabilities: [...offered, ...renderedByHost(manifest, offered)],
    features: new Set(answer.protocol?.features ?? []),
  };
}

/** Prompts with a template need no program, and a program need not know of them: what it left out is still there. */
function renderedByHost({ capabilities }: Manifest, offered: readonly CapabilityRef[]): CapabilityRef[] {
  return capabilities
    .filter(({ kind, template }) => kind === 'prompt' && template !== undefined)
    .filter(({ name }) => !offered.some((capability) => capability.kind === 'prompt' && capability.name === name))
    .map(({ kind, name }) => ({ kind, name }));
}
