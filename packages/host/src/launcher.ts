import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ContentStore, readBundleFile, type SignatureMemo, type TrustStore } from '@mmm/bundle';
import { log as logMethod, MmmError } from '@mmm/protocol';
import { onNotification } from '@mmm/rpc';
import type { AuditLog } from './audit/audit-log.ts';
import type { Configurations } from './configuration.ts';
import { claimData } from './data-owner.ts';
import type { PluginSpec } from './discover/spec.ts';
import { Egress, type LaunchNetwork } from './egress/egress.ts';
import { lookupBySystem } from './egress/resolver.ts';
import { type HandshakeServices, handshake } from './handshake/handshake.ts';
import type { Session } from './handshake/session.ts';
import { diskName } from './home.ts';
import { hostRequests } from './host-requests.ts';
import { dataDirectory, recordId } from './identity.ts';
import { launch } from './launch.ts';
import { hostLimits } from './limits.ts';
import { boundedFields } from './log/bounded-fields.ts';
import { type LogLine, PluginLog } from './log/plugin-log.ts';
import type { ResolvedOptions } from './options.ts';
import { PermissionGuard } from './permit/enforce.ts';
import { type RegisteredPlugin, registeredChild, registeredEnforcement, registeredPermitted } from './registered.ts';
import type { SandboxMachine } from './sandbox/confine.ts';
import { probeSandbox, type SandboxProbe } from './sandbox/probe.ts';
import { programPath } from './sandbox/tools.ts';
import { stopChild } from './spawn/stop.ts';
import type { Store } from './store/store.ts';
import type { Snapshot } from './verify/snapshot.ts';
import type { Trust } from './verify/verified.ts';
import { type VerifyServices, verify } from './verify/verify.ts';

export interface LauncherParts {
  readonly options: ResolvedOptions;
  readonly trust: TrustStore;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly content: ContentStore;
  readonly memo: SignatureMemo;
  readonly configurations: Configurations;
}

/** What a launch under development has instead of a signature and of stored grants. */
export interface DevelopmentLaunch {
  readonly snapshot: Snapshot;
  readonly allowed: readonly string[];
}

function grantInDevelopment(keys: readonly string[]): string {
  return `mmm plugin dev --grant ${keys.map((key) => `'${key}'`).join(' ')} (or --grant-requested)`;
}

/** What the file system said on the way, such as that the disk is full: with its path, and before anything ran. */
function fromSystem({ id }: PluginSpec, home: string, error: unknown): unknown {
  const isSystemError = error instanceof Error && 'syscall' in error && 'code' in error;
  if (!isSystemError || error instanceof MmmError) return error;
  // A write has no path in its error.
  const reason = 'path' in error ? error.message : `${error.message} (in ${home})`;
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  const next = full ? 'The disk is full: free some space and try again.' : 'Mend that and try again.';
  const message = `Plugin "${id}" could not be started: ${reason}. ${next}`;
  return new MmmError(
    'LAUNCH_FAILED',
    message,
    { plugin: id, stage: 'sandbox', reason, stderrTail: '' },
    { cause: error },
  );
}

/** Makes what the stages of one launch need out of the host's services, and keeps the plugins' logs open. */
export class Launcher {
  readonly #parts: LauncherParts;
  readonly #logs = new Map<string, PluginLog>();
  /** Permissions that were allowed once: for as long as this host lives. */
  readonly #once = new Set<string>();
  readonly #guard: PermissionGuard;
  readonly #egress: Egress;
  #probe: Promise<SandboxProbe> | undefined;

  constructor(parts: LauncherParts) {
    this.#parts = parts;
    const { options, audit } = parts;
    const { clock, home, lookup } = options;
    this.#guard = new PermissionGuard({ audit, clock });
    this.#egress = new Egress({
      runDirectory: home.run,
      lookup: lookup ?? lookupBySystem,
      clock,
      onRefused: (plugin, target, { reason }) => this.#guard.refused(plugin, { network: target, reason }),
      onTraffic: (plugin, { allowed, refused }) => {
        try {
          audit.append({ action: 'network', plugin, detail: { allowed, refused } });
        } catch {
          // The launch is over: nothing is left that could be refused.
        }
      },
    });
  }

  /** Verifies, permits, confines, spawns and opens a plugin. */
  async launch(spec: PluginSpec, signal: AbortSignal, development?: DevelopmentLaunch): Promise<Session> {
    const { options, store, audit, configurations } = this.#parts;
    const redactor = configurations.redactor(spec);
    const clock = options.clock;
    const launchedAtMs = clock.monotonic();
    const network = this.#egress.forLaunch(spec.id);
    const launched = launch(
      spec,
      {
        verify: { ...this.verifyServices(), ...(development === undefined ? {} : { snapshot: development.snapshot }) },
        permit: {
          grants: store.grants,
          policy: options.policy,
          audit,
          now: () => new Date(clock.now()).toISOString(),
          recordId: recordId(spec),
          home: options.home.directory,
          once: this.#once,
          ...(development === undefined ? {} : { allowed: development.allowed, howToGrant: grantInDevelopment }),
          ...(options.project === undefined ? {} : { project: options.project }),
          ...(options.prompter === undefined ? {} : { prompter: options.prompter }),
        },
        sandbox: ({ trust }) => this.#machine(spec, trust),
        audit,
        spawn: {
          plugin: spec.id,
          clock,
          egress: network,
          onLine: (_stream, line, cut) => this.#line(spec, 'stderr', line, cut),
          onDropped: (lines) => this.#log(spec).drop(lines),
          ...(redactor === undefined ? {} : { redact: (line, cut) => redactor.text(line, cut) }),
        },
        config: (plugin) => configurations.forLaunch(plugin),
        handshake: this.#handshakeServices(spec, launchedAtMs, network),
      },
      signal,
    );
    const session = await launched.catch((error: unknown) => {
      network.ended();
      throw redactor?.error(error) ?? fromSystem(spec, options.home.directory, error);
    });
    void session.exited.then(() => {
      network.ended();
      this.#guard.ended(spec.id);
    });
    return session;
  }

  /** Opens a plugin that is part of the program: the last stage only, since its code runs already. */
  async open(spec: PluginSpec, plugin: RegisteredPlugin, signal: AbortSignal): Promise<Session> {
    const launchedAtMs = this.#parts.options.clock.monotonic();
    const child = registeredChild(plugin, this.#parts.options.clock);
    const data = dataDirectory(this.#parts.options.home, spec);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const network = this.#egress.forLaunch(spec.id);
    const command = { pluginDirectory: '', dataDirectory: data, enforcement: registeredEnforcement };
    return await handshake(
      child,
      command,
      registeredPermitted(spec),
      { ...this.#handshakeServices(spec, launchedAtMs, network), config: spec.manifest.config?.defaults ?? {} },
      signal,
    );
  }

  /**
   * The text of a schema, read from what was verified and not from the folder it was found in, which may change at any
   * moment. Throws what verifying throws, and an Error for a file that cannot be a schema.
   */
  async readFile(spec: PluginSpec, path: string): Promise<string> {
    if (spec.origin === 'registered') throw new Error('a plugin registered by the program has no files');
    // A development spec is about the read-only snapshot that this host took.
    const directory =
      spec.origin === 'development' ? spec.directory : (await verify(spec, this.verifyServices())).bundleDirectory;
    return (await readBundleFile(directory, path, hostLimits.schemaBytes)).toString('utf8');
  }

  /** What this machine can enforce, found out once by running it. */
  probe(): Promise<SandboxProbe> {
    this.#probe ??= probeSandbox({
      uid: this.#probeUid(),
      home: this.#parts.options.home.directory,
      nodePath: process.execPath,
    });
    return this.#probe;
  }

  verifyServices(): VerifyServices {
    const { trust, content, memo, store, options } = this.#parts;
    return {
      trust,
      content,
      memo,
      exceptionOf: (id) => store.plugins.get(id)?.unsignedException ?? null,
      now: () => new Date(options.clock.now()),
    };
  }

  logFile(spec: PluginSpec): string {
    const { home } = this.#parts.options;
    // What a plugin prints under development is no part of the log of the installed one.
    const name = spec.origin === 'development' ? basename(dataDirectory(home, spec)) : diskName(spec.id);
    return join(home.logs, `${name}.jsonl`);
  }

  note(spec: PluginSpec, level: 'info' | 'warn' | 'error', message: string): void {
    this.#write(spec, { stream: 'host', level, message });
  }

  close(): void {
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  #handshakeServices(
    spec: PluginSpec,
    launchedAtMs: number,
    network: LaunchNetwork,
  ): Omit<HandshakeServices, 'config'> {
    const { clock, locale } = this.#parts.options;
    return {
      clock,
      locale,
      launchedAtMs,
      redactor: this.#parts.configurations.redactor(spec),
      stopChild: (child, requestShutdown) => stopChild(child, requestShutdown, clock),
      hostApi: (plugin) => ({
        requests: hostRequests(plugin, { guard: this.#guard, network }),
        notifications: {
          log: onNotification(logMethod, ({ level, message, fields }) => {
            this.#write(spec, { stream: 'log', level, message, fields });
          }),
        },
      }),
      onStray: (line, cut) => this.#line(spec, 'stdout', line, cut),
      onFault: ({ kind, detail }) => this.note(spec, 'warn', `${kind}: ${detail}`),
    };
  }

  #machine(spec: PluginSpec, trust: Trust): SandboxMachine {
    const { options, store, audit } = this.#parts;
    claimData(spec, trust, { home: options.home, store, audit });
    return {
      probe: () => this.probe(),
      homeDirectory: options.home.directory,
      dataDirectory: dataDirectory(options.home, spec),
      uid: this.#launchUid(spec),
      allowNone: options.sandboxNoneFor.has(spec.id),
      nodePath: process.execPath,
      environment: options.environment,
      programPath,
      ...(options.project === undefined ? {} : { project: options.project }),
    };
  }

  /** Never root: a root host gives each plugin a uid of its own. */
  #launchUid(spec: PluginSpec): number {
    const own = process.getuid?.() ?? 0;
    return own === 0 ? this.#parts.store.plugins.uidOf(recordId(spec), hostLimits.pluginUidFirst) : own;
  }

  #probeUid(): number {
    const own = process.getuid?.() ?? 0;
    return own === 0 ? hostLimits.pluginUidFirst - 1 : own;
  }

  #line(spec: PluginSpec, stream: 'stderr' | 'stdout', line: string, cut: boolean): void {
    this.#log(spec).write(() => {
      const message = this.#parts.configurations.redactor(spec)?.text(line, cut) ?? line;
      return { stream, level: 'info', message: cut ? `${message} … (cut)` : message };
    });
  }

  /** Every line that may hold words of the plugin comes this way, or by `#line`. */
  #write(spec: PluginSpec, line: Omit<LogLine, 'at'>): void {
    this.#log(spec).write(() => {
      const bounded = line.fields === undefined ? line : { ...line, fields: boundedFields(line.fields) };
      return this.#parts.configurations.redactor(spec)?.value(bounded) ?? bounded;
    });
  }

  #log(spec: PluginSpec): PluginLog {
    let log = this.#logs.get(spec.id);
    if (log === undefined) {
      const { clock, onLog } = this.#parts.options;
      const follow = onLog === undefined ? {} : { onLine: (line: LogLine) => onLog(spec.id, line) };
      log = new PluginLog(this.logFile(spec), clock, follow);
      this.#logs.set(spec.id, log);
    }
    return log;
  }
}
