import { mkdirSync } from 'node:fs';
import { type ContentStore, readBundleFile, type SignatureMemo, type TrustStore } from '@mmm/bundle';
import { log as logMethod, type MmmError } from '@mmm/protocol';
import { onNotification } from '@mmm/rpc';
import type { AuditLog } from './audit/audit-log.ts';
import type { Configurations } from './configuration.ts';
import { claimData } from './data-owner.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Egress, LaunchNetwork } from './egress/egress.ts';
import { GrantWatch } from './grant-watch.ts';
import { grantedPlaces } from './granted-places.ts';
import { type HandshakeServices, handshake } from './handshake/handshake.ts';
import type { Session } from './handshake/session.ts';
import { type HostServices, hostRequests } from './host-requests.ts';
import { dataDirectory, recordId } from './identity.ts';
import { type AdmissionServices, admission, type LaunchServices, launch, prepare } from './launch.ts';
import { fromSystem, grantInDevelopment, isInspected, isRefusal, type LaunchKind } from './launch-facts.ts';
import { LaunchPermissions } from './launch-permissions.ts';
import { launchUid, probeUid } from './launch-uid.ts';
import { hostLimits } from './limits.ts';
import type { ListedPlugins } from './listed-plugins.ts';
import { LiveGrants } from './live-grants.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import { UseRecorder } from './metrics/use-recorder.ts';
import { openEgress } from './network-audit.ts';
import type { ResolvedOptions } from './options.ts';
import { PermissionGuard } from './permit/enforce.ts';
import type { PermittedPlugin } from './permit/permitted.ts';
import { PluginLogs } from './plugin-logs.ts';
import type { PluginResources } from './plugin-resources.ts';
import { isTraced } from './processes/debugged.ts';
import { ProcessRecords } from './processes/process-records.ts';
import { assertSamePublisher } from './publisher-change.ts';
import { type RegisteredPlugin, registeredChild, registeredEnforcement, registeredPermitted } from './registered.ts';
import type { SandboxMachine } from './sandbox/confine.ts';
import { probeSandbox, type SandboxProbe } from './sandbox/probe.ts';
import { programPath } from './sandbox/tools.ts';
import { reapOrphans } from './spawn/reap-orphans.ts';
import { stopChild } from './spawn/stop.ts';
import { StartGate } from './start-gate.ts';
import type { Store } from './store/store.ts';
import type { TrustWatch } from './trust-watch.ts';
import type { Trust } from './verify/verified.ts';
import { type VerifyServices, verify } from './verify/verify.ts';
import { WatchedLaunch } from './watched-launch.ts';

export interface LauncherParts {
  readonly options: ResolvedOptions;
  readonly trust: TrustStore;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly content: ContentStore;
  readonly memo: SignatureMemo;
  readonly listed: Pick<ListedPlugins, 'exceptionOf'>;
  readonly configurations: Configurations;
  readonly metrics: MetricsRecorder;
  readonly resources: PluginResources;
  readonly watch: TrustWatch;
  /** What plugins may ask the host for, beside what is of one launch. */
  readonly services: HostServices;
  /** Told that nobody vouches for a running plugin any more, right before it is killed. */
  onWithdrawn(spec: PluginSpec, error: MmmError): void;
  /** Told that another process took a permission of a running plugin away. */
  onRevoked(spec: PluginSpec, reason: string): void;
  /** Told that another process changed what is installed, granted or counted, while something runs here. */
  onChanged(): void;
}

/** Makes what the stages of one launch need out of the host's services, and keeps the plugins' logs open. */
export class Launcher {
  readonly #parts: LauncherParts;
  readonly logs: PluginLogs;
  /** Permissions that were allowed once: for as long as this host lives. */
  readonly #once = new Set<string>();
  readonly #guard: PermissionGuard;
  readonly #gate: StartGate;
  /** Of every process that runs for a plugin of this home. */
  readonly records: ProcessRecords;
  readonly live = new LiveGrants();
  readonly #egress: Egress;
  readonly #uses: UseRecorder;
  readonly #grants: GrantWatch;
  #probe: Promise<SandboxProbe> | undefined;

  constructor(parts: LauncherParts) {
    this.#parts = parts;
    const { options, audit } = parts;
    const { clock, home } = options;
    this.logs = new PluginLogs(parts);
    this.records = new ProcessRecords(home.run);
    this.#gate = new StartGate({ places: options.concurrentStarts, clock });
    this.#guard = new PermissionGuard({ audit, clock, onRefused: (id) => this.#parts.metrics.count(id, 'denials') });
    this.#uses = new UseRecorder(parts.store.permissionUses, clock);
    this.#grants = new GrantWatch({ store: parts.store, clock, onChanged: () => parts.onChanged() });
    const refused: PermissionGuard['refused'] = (plugin, detail) => this.#guard.refused(plugin, detail);
    this.#egress = openEgress({ options, audit, refused });
  }

  /** Verifies, permits, confines, spawns and opens a plugin. */
  async launch(spec: PluginSpec, signal: AbortSignal, how: LaunchKind = {}): Promise<Session> {
    const { options, configurations, watch, onWithdrawn } = this.#parts;
    const redactor = configurations.redactor(spec);
    const clock = options.clock;
    const launchedAtMs = clock.monotonic();
    const network = this.#egress.forLaunch(spec.id);
    const watched = new WatchedLaunch(watch, signal, (error) => onWithdrawn(spec, error));
    const rights = this.#rights(spec, how);
    let opened: Session | undefined;
    const launched = launch(
      spec,
      {
        ...this.#admissionServices(spec, how),
        ...this.#startServices(spec, network, () => opened),
        sandbox: (plugin) => {
          watched.begin(plugin);
          return this.#machine(spec, plugin.trust);
        },
        handshake: this.#handshakeServices(spec, launchedAtMs, network, rights),
        ...(how.standby === undefined ? {} : { standby: how.standby }),
      },
      watched.signal,
    );
    const session = await launched.catch((error: unknown) => {
      network.ended();
      watched.failed();
      this.#refusedLaunch(spec, watched.error ?? error);
      throw watched.error ?? redactor?.error(error) ?? fromSystem(spec, options.home.directory, error);
    });
    opened = session;
    watched.opened(session);
    rights.opened(session);
    if (spec.origin !== 'development') this.#parts.metrics.watch(spec.id, session.connection.counters, session.exited);
    void session.exited.then(() => {
      network.ended();
      this.#guard.ended(spec.id);
    });
    return session;
  }

  /** Runs the install step of a plugin now instead of at its first start, if it has one. Throws as `launch` does. */
  async prepare(spec: PluginSpec, signal: AbortSignal): Promise<void> {
    if (spec.manifest.install === undefined) return;
    const network = this.#egress.forLaunch(spec.id);
    const watched = new WatchedLaunch(this.#parts.watch, signal, () => undefined);
    const services = {
      ...this.#admissionServices(spec, { ask: false }),
      ...this.#startServices(spec, network, () => undefined),
      sandbox: (plugin: PermittedPlugin) => {
        watched.begin(plugin);
        return this.#machine(spec, plugin.trust);
      },
    };
    try {
      await prepare(spec, services, watched.signal);
    } catch (error) {
      throw watched.error ?? error;
    } finally {
      watched.failed();
      network.ended();
    }
  }

  #startServices(spec: PluginSpec, network: LaunchNetwork, session: () => Session | undefined) {
    const { options, audit, configurations, resources, store } = this.#parts;
    const { clock } = options;
    const redactor = configurations.redactor(spec);
    return {
      audit,
      turn: (aborted: AbortSignal) => this.#gate.enter(aborted),
      spawn: {
        plugin: spec.id,
        clock,
        egress: network,
        linesPerSecond: resources.limitsOf(spec).log_lines_per_second,
        records: this.records,
        watch: (process) => resources.watch(spec, { ...process, ...this.#watched(spec, session) }),
        onLine: (_stream, line, cut) => this.logs.printed(spec, 'stderr', line, cut),
        onDropped: (lines) => this.logs.drop(spec, lines),
        ...(redactor === undefined ? {} : { redact: (line: string, cut: boolean) => redactor.text(line, cut) }),
      } satisfies LaunchServices['spawn'],
      installStep: {
        clock,
        steps: store.installSteps,
        now: () => new Date(clock.now()),
        onOutput: (line: string, cut: boolean) => this.logs.printed(spec, 'stdout', line, cut),
      },
    };
  }

  /** As what a launch without questions would be admitted now. Throws why it would not. Starts nothing. */
  async admission(spec: PluginSpec): Promise<string> {
    return await admission(spec, this.#admissionServices(spec, { ask: false }));
  }

  #admissionServices(spec: PluginSpec, { development, ask = true }: LaunchKind): AdmissionServices {
    const { options, store, audit, configurations } = this.#parts;
    return {
      verify: { ...this.verifyServices(), ...(development === undefined ? {} : { snapshot: development.snapshot }) },
      permit: {
        grants: store.grants,
        policy: options.policy,
        audit,
        now: () => new Date(options.clock.now()).toISOString(),
        recordId: recordId(spec),
        home: options.home.directory,
        once: this.#once,
        ...(development === undefined ? {} : { allowed: development.allowed, howToGrant: grantInDevelopment }),
        ...(options.project === undefined ? {} : { project: options.project }),
        ...(options.prompter === undefined || !ask ? {} : { prompter: options.prompter }),
      },
      config: (plugin) => configurations.forLaunch(plugin),
    };
  }

  #rights(spec: PluginSpec, { development }: LaunchKind = {}): LaunchPermissions {
    const { permit } = this.#admissionServices(spec, development === undefined ? {} : { development });
    const { onRevoked } = this.#parts;
    return new LaunchPermissions(spec, permit, {
      guard: this.#guard,
      uses: this.#uses,
      watch: this.#grants,
      live: this.live,
      onRevoked,
    });
  }

  /** A refused launch is a decision, and every decision is in the log. */
  #refusedLaunch({ id }: PluginSpec, error: unknown): void {
    if (!isRefusal(error)) return;
    this.#guard.refused(id, { what: 'launch', error: error.code, reason: error.message });
  }

  /** Opens a plugin that is part of the program: the last stage only, since its code runs already. */
  async open(spec: PluginSpec, plugin: RegisteredPlugin, signal: AbortSignal): Promise<Session> {
    const launchedAtMs = this.#parts.options.clock.monotonic();
    const child = registeredChild(plugin, this.#parts.options.clock);
    const data = dataDirectory(this.#parts.options.home, spec);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const network = this.#egress.forLaunch(spec.id);
    const command = { pluginDirectory: '', dataDirectory: data, enforcement: registeredEnforcement };
    void child.exited.then(() => network.ended());
    return await handshake(
      child,
      command,
      registeredPermitted(spec),
      {
        ...this.#handshakeServices(spec, launchedAtMs, network, this.#rights(spec)),
        config: spec.manifest.config?.defaults ?? {},
      },
      signal,
    );
  }

  /** Cuts every connection of what runs of a plugin, at once; it gets no other one until it is started again. */
  cutNetwork({ id }: PluginSpec): void {
    this.#egress.cut(id);
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

  /** Ends what hosts of this home that were killed left running; told in the log of each plugin. Never throws. */
  reap(): void {
    try {
      for (const { plugin, processes } of reapOrphans(this.records)) {
        const what = processes === 1 ? 'one process' : `${processes} processes`;
        this.logs.noteOnce(plugin, `ended ${what} that a host that was killed had left`);
      }
    } catch {
      // A folder that cannot be read now will be at the next start.
    }
  }

  /** What this machine can enforce, found out once by running it. */
  probe(): Promise<SandboxProbe> {
    this.#probe ??= this.probeEveryRung(false);
    return this.#probe;
  }

  probeEveryRung(everyRung = true): Promise<SandboxProbe> {
    const home = this.#parts.options.home.directory;
    return probeSandbox({ uid: probeUid(), home, nodePath: process.execPath, everyRung });
  }

  verifyServices(): VerifyServices {
    const { trust, content, memo, store, options } = this.#parts;
    return {
      trust,
      content,
      memo,
      boundPublisher: (spec) => store.plugins.publisherOf(recordId(spec)),
      listedException: (spec) => this.#parts.listed.exceptionOf(spec),
      exceptionOf: (id) => store.plugins.get(id)?.unsignedException ?? null,
      currentRevocations: options.settings.trust?.expired_revocations === 'refuse',
      now: () => new Date(options.clock.now()),
    };
  }

  logFile(spec: PluginSpec): string {
    return this.logs.file(spec);
  }

  note(spec: PluginSpec, level: 'info' | 'warn' | 'error', message: string): void {
    this.logs.write(spec, { stream: 'host', level, message });
  }

  /** What is counted of permissions and not stored yet. */
  get uses(): UseRecorder {
    return this.#uses;
  }

  close(): void {
    this.#uses.flush();
    this.logs.close();
  }

  #handshakeServices(
    spec: PluginSpec,
    launchedAtMs: number,
    network: LaunchNetwork,
    rights: LaunchPermissions,
  ): Omit<HandshakeServices, 'config'> {
    const { clock, locale } = this.#parts.options;
    const outputMb = this.#parts.resources.limitsOf(spec).output_mb_per_second;
    return {
      clock,
      locale,
      outputBytesPerSecond: outputMb * 1024 * 1024,
      launchedAtMs,
      redactor: this.#parts.configurations.redactor(spec),
      stopChild: (child, requestShutdown) => stopChild(child, requestShutdown, clock),
      hostApi: (plugin, calls) => ({
        requests: hostRequests({
          ...rights.asker(plugin, network, calls),
          ...this.#parts.services,
          ...{ life: plugin, network },
          note: (message) => this.note(spec, 'error', message),
          recordMetric: (name, value, labels) => this.#recordMetric(spec, name, value, labels),
        }),
        notifications: {
          log: onNotification(logMethod, ({ level, message, fields }) => {
            this.logs.write(spec, { stream: 'log', level, message, fields });
          }),
        },
      }),
      isDebugged: ({ pid }) => rights.isAsking || isInspected(spec) || (pid > 0 && isTraced(pid)),
      onStray: (line, cut) => this.logs.printed(spec, 'stdout', line, cut),
      onFault: ({ kind, detail }) => this.note(spec, 'warn', `${kind}: ${detail}`),
    };
  }

  /** Until it answered `initialize` it starts, and what starts is busy. */
  #watched(spec: PluginSpec, session: () => Session | undefined) {
    return {
      dataDirectory: dataDirectory(this.#parts.options.home, spec),
      isBusy: () => (session()?.connection.inFlight ?? 1) > 0,
    };
  }

  /** A plugin under development says nothing about the installed one of its name. */
  #recordMetric(spec: PluginSpec, name: string, value: number, labels: Readonly<Record<string, string>>): boolean {
    if (spec.origin === 'development') return true;
    const shown = this.#parts.configurations.redactor(spec)?.value(labels) ?? labels;
    return this.#parts.metrics.record(spec.id, name, value, shown);
  }

  #machine(spec: PluginSpec, trust: Trust): SandboxMachine {
    const { options, store, audit } = this.#parts;
    assertSamePublisher(spec, trust, { store });
    claimData(spec, trust, { home: options.home, store, audit });
    return {
      probe: () => this.probe(),
      homeDirectory: options.home.directory,
      dataDirectory: dataDirectory(options.home, spec),
      uid: launchUid(spec, store.plugins),
      allowNone: options.sandboxNoneFor.has(spec.id),
      allowLandlock: options.policy.acceptsLandlock || options.sandboxLandlockFor.has(spec.id),
      limits: this.#parts.resources.limitsOf(spec),
      nodePath: process.execPath,
      environment: options.environment,
      programPath,
      places: grantedPlaces(spec, trust, store),
      ...(options.project === undefined ? {} : { project: options.project }),
    };
  }
}
