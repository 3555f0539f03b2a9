import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ContentStore, SignatureMemo, TrustStore } from '@mmm/bundle';
import { log as logMethod } from '@mmm/protocol';
import { onNotification } from '@mmm/rpc';
import type { AuditLog } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { type HandshakeServices, handshake } from './handshake/handshake.ts';
import type { Session } from './handshake/session.ts';
import { diskName } from './home.ts';
import type { ResolvedOptions } from './host.ts';
import { dataDirectory, recordId } from './identity.ts';
import { launch } from './launch.ts';
import { hostLimits } from './limits.ts';
import { PluginLog } from './log/plugin-log.ts';
import { type RegisteredPlugin, registeredChild, registeredEnforcement, registeredPermitted } from './registered.ts';
import type { SandboxMachine } from './sandbox/confine.ts';
import { probeSandbox, type SandboxProbe } from './sandbox/probe.ts';
import { programPath } from './sandbox/tools.ts';
import { stopChild } from './spawn/stop.ts';
import type { Store } from './store/store.ts';
import type { VerifyServices } from './verify/verify.ts';

export interface LauncherParts {
  readonly options: ResolvedOptions;
  readonly trust: TrustStore;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly content: ContentStore;
  readonly memo: SignatureMemo;
}

/** Makes what the stages of one launch need out of the host's services, and keeps the plugins' logs open. */
export class Launcher {
  readonly #parts: LauncherParts;
  readonly #logs = new Map<string, PluginLog>();
  /** Permissions that were allowed once: for as long as this host lives. */
  readonly #once = new Set<string>();
  #probe: Promise<SandboxProbe> | undefined;

  constructor(parts: LauncherParts) {
    this.#parts = parts;
  }

  /** Verifies, permits, confines, spawns and opens a plugin. */
  async launch(spec: PluginSpec, signal: AbortSignal): Promise<Session> {
    const { options, store, audit } = this.#parts;
    const clock = options.clock;
    const launchedAtMs = clock.monotonic();
    return await launch(
      spec,
      {
        verify: this.verifyServices(),
        permit: {
          grants: store.grants,
          policy: options.policy,
          audit,
          now: () => new Date(clock.now()).toISOString(),
          recordId: recordId(spec),
          home: options.home.directory,
          once: this.#once,
          ...(options.project === undefined ? {} : { project: options.project }),
          ...(options.prompter === undefined ? {} : { prompter: options.prompter }),
        },
        sandbox: this.#machine(spec),
        audit,
        spawn: { plugin: spec.id, clock, onLine: (_stream, line, cut) => this.#line(spec, 'stderr', line, cut) },
        handshake: this.#handshakeServices(spec, launchedAtMs),
      },
      signal,
    );
  }

  /** Opens a plugin that is part of the program: the last stage only, since its code runs already. */
  async open(spec: PluginSpec, plugin: RegisteredPlugin, signal: AbortSignal): Promise<Session> {
    const launchedAtMs = this.#parts.options.clock.monotonic();
    const child = registeredChild(plugin, this.#parts.options.clock);
    const data = dataDirectory(this.#parts.options.home, spec);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const command = { pluginDirectory: '', dataDirectory: data, enforcement: registeredEnforcement };
    return await handshake(
      child,
      command,
      registeredPermitted(spec),
      this.#handshakeServices(spec, launchedAtMs),
      signal,
    );
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
    return join(this.#parts.options.home.logs, `${diskName(spec.id)}.jsonl`);
  }

  note(spec: PluginSpec, level: 'info' | 'warn' | 'error', message: string): void {
    this.#log(spec).write({ stream: 'host', level, message });
  }

  close(): void {
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  #handshakeServices(spec: PluginSpec, launchedAtMs: number): HandshakeServices {
    const { clock, locale } = this.#parts.options;
    return {
      clock,
      locale,
      launchedAtMs,
      config: spec.manifest.config?.defaults ?? {},
      stopChild: (child, requestShutdown) => stopChild(child, requestShutdown, clock),
      hostApi: {
        notifications: {
          log: onNotification(logMethod, ({ level, message, fields }) => {
            this.#log(spec).write({ stream: 'log', level, message, fields });
          }),
        },
      },
      onStray: (line, cut) => this.#line(spec, 'stdout', line, cut),
      onFault: ({ kind, detail }) => this.note(spec, 'warn', `${kind}: ${detail}`),
    };
  }

  #machine(spec: PluginSpec): SandboxMachine {
    const { options } = this.#parts;
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
    this.#log(spec).write({ stream, level: 'info', message: cut ? `${line} … (cut)` : line });
  }

  #log(spec: PluginSpec): PluginLog {
    let log = this.#logs.get(spec.id);
    if (log === undefined) {
      log = new PluginLog(this.logFile(spec), this.#parts.options.clock);
      this.#logs.set(spec.id, log);
    }
    return log;
  }
}
