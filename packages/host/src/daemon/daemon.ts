import { controlVersion, type DaemonStatus, hostVersion, MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { Host, HostOptions } from '../api.ts';
import type { Home } from '../home.ts';
import { readSettings } from '../settings/settings.ts';
import type { FileLock } from '../store/file-lock.ts';
import { CallScopes } from './call-scope.ts';
import { DaemonClient } from './connect-daemon.ts';
import { ControlServer } from './control-server.ts';
import { isControlToken, makeControlToken } from './control-token.ts';
import { DaemonLog } from './daemon-log.ts';
import { removeDaemonRecord, takeDaemonLock, writeDaemonRecord } from './daemon-record.ts';
import { ProjectHosts } from './project-hosts.ts';
import { SettingsWatch } from './settings-watch.ts';

export interface DaemonOptions {
  /** Starts no plugin: everything else works. */
  readonly safe?: boolean;
  /** Where granted environment variables take their values from, for whoever calls. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface DaemonServices {
  readonly home: Home;
  readonly clock: Clock;
  openHost(options: Partial<HostOptions>): Promise<Host>;
}

/** A host that serves every command of its home until it is stopped. */
export class Daemon {
  readonly #services: DaemonServices;
  readonly #lock: FileLock;
  readonly #log: DaemonLog;
  readonly #startedAt: string;
  readonly #safe: boolean;
  #host: Host | undefined;
  #projects: ProjectHosts | undefined;
  #server: ControlServer | undefined;
  #settings: SettingsWatch | undefined;
  #unused: readonly { readonly plugin: string; readonly problem: string }[] = [];
  #stopping: Promise<void> | undefined;
  #resolveStopped: () => void = () => undefined;
  /** Resolves when everything of it has ended, whoever ended it. */
  readonly stopped: Promise<void>;

  private constructor(services: DaemonServices, lock: FileLock, options: DaemonOptions) {
    this.#services = services;
    this.#lock = lock;
    this.#safe = options.safe === true;
    this.#log = new DaemonLog(services.home, services.clock);
    this.#startedAt = new Date(services.clock.now()).toISOString();
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** Resolves when it takes connections. Throws DAEMON_RUNNING, and what opening a host throws. */
  static async start(services: DaemonServices, options: DaemonOptions): Promise<Daemon> {
    const lock = takeDaemonLock(services.home.run);
    if (lock === undefined) throw await otherDaemon(services.home);
    const daemon = new Daemon(services, lock, options);
    try {
      await daemon.#open(options);
    } catch (error) {
      daemon.#log.note('error', `could not be started: ${error instanceof Error ? error.message : String(error)}`);
      await daemon.stop('it could not be started');
      throw error;
    }
    return daemon;
  }

  get status(): DaemonStatus {
    return {
      control: controlVersion,
      mmm: hostVersion,
      pid: process.pid,
      home: this.#services.home.directory,
      startedAt: this.#startedAt,
      safe: this.#safe,
      clients: this.#server?.clients ?? 0,
      settings: this.#settings?.status ?? { file: '', appliedAt: this.#startedAt, problem: null },
      plugins: [...this.#unused],
    };
  }

  /** A line of its own in the daemon's log. */
  note(level: 'info' | 'warn' | 'error', message: string): void {
    this.#log.note(level, message);
  }

  /** Reads config.toml again. Never rejects: what is wrong with it is in `status`. */
  async reload(): Promise<DaemonStatus> {
    await this.#settings?.reload();
    return this.status;
  }

  /** Stops every plugin and ends every connection; within 8 s whatever they do. Safe to call twice. */
  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #open(options: DaemonOptions): Promise<void> {
    const { home, clock, openHost } = this.#services;
    const scopes = new CallScopes();
    const common: Partial<HostOptions> = {
      safe: this.#safe,
      environment: options.environment ?? {},
      prompter: scopes.prompter,
      caller: { kind: 'daemon', id: 'mmm' },
    };
    const primary = await openHost(common);
    await this.#boundLog();
    this.#host = primary;
    const projects = new ProjectHosts({ primary, clock, open: (project) => openHost({ ...common, project }) });
    this.#projects = projects;
    this.#settings = new SettingsWatch({
      file: home.settingsFile,
      clock,
      apply: async () => {
        for (const host of await projects.all()) await host.reloadSettings();
        projects.forget();
        await this.#boundLog();
        await this.#useListed(primary);
      },
      note: (level, message) => this.#log.note(level, message),
    });
    const token = makeControlToken(home.run);
    this.#server = await ControlServer.listen(home.run, {
      isToken: (given) => isControlToken(given, token),
      clock,
      scopes,
      hostFor: (project, about) => projects.lend(project, about),
      forget: () => projects.forget(),
      status: () => this.status,
      reload: () => this.reload(),
      stop: () => void this.stop('a client asked for it'),
      note: (level, message) => this.#log.note(level, message),
    });
    writeDaemonRecord(home.run);
    // Not waited for: who listed a plugin that does not start can be served all the same.
    void this.#begin(primary);
    if (!this.#safe) {
      await primary.mappings.run().catch((error: unknown) => this.#log.note('error', `mappings: ${String(error)}`));
    }
    this.#log.note('info', 'ready', { pid: process.pid, version: hostVersion, safe: this.#safe });
  }

  /** As config.toml has it: a host has read it and found it right. */
  async #boundLog(): Promise<void> {
    this.#log.rotateAs((await readSettings(this.#services.home.settingsFile)).logs);
  }

  /** What a host that stays does by itself. In the host of a project nothing of it is done: once is enough. */
  async #begin(host: Host): Promise<void> {
    await this.#useListed(host);
    if (this.#safe) return;
    for (const begin of [() => host.events.deliver(), () => host.mappings.run()]) {
      await begin().catch((error: unknown) => {
        // Stopped before it had begun.
        if (MmmError.is(error, 'HOST_CLOSED')) return;
        this.#log.note('error', error instanceof Error ? error.message : String(error));
      });
    }
  }

  /** Starts what config.toml wants started, and notes what of it is not in use and why. Never rejects. */
  async #useListed(host: Host): Promise<void> {
    const listed = await host.listedPlugins().catch(() => []);
    const tried = listed.map(async ({ plugin, start, problem }) => {
      if (problem !== null || !start || this.#safe) return { plugin, problem };
      return { plugin, problem: await startProblem(host, plugin) };
    });
    this.#unused = (await Promise.all(tried)).flatMap(({ plugin, problem }) => {
      return problem === null ? [] : [{ plugin, problem }];
    });
    for (const { plugin, problem } of this.#unused) this.#log.note('warn', `${plugin} is not in use: ${problem}`);
  }

  async #stop(reason: string): Promise<void> {
    this.#log.note('info', `stopping: ${reason}`);
    // A command that begins from here on works without it.
    this.#server?.closeDoor();
    await this.#settings?.close();
    await Promise.all([this.#projects?.close(), this.#host?.close()]);
    this.#server?.close('The daemon was stopped.');
    removeDaemonRecord(this.#services.home.run);
    this.#log.note('info', 'stopped');
    this.#log.close();
    this.#lock.release();
    this.#resolveStopped();
  }
}

/** Why a plugin does not start; null when it runs. */
async function startProblem(host: Host, id: string): Promise<string | null> {
  try {
    await (await host.plugin(id)).start();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function otherDaemon(home: Home): Promise<MmmError<'DAEMON_RUNNING'>> {
  const client = await DaemonClient.dial(home.run).catch(() => undefined);
  const status = await client?.status().catch(() => undefined);
  client?.close();
  const pid = status?.pid ?? null;
  const who = pid === null ? 'a process that is starting, stopping or does not answer' : `pid ${pid}`;
  const message = `A daemon serves ${home.directory} already: ${who}. Stop it first (mmm daemon stop), or use it.`;
  return new MmmError('DAEMON_RUNNING', message, { home: home.directory, pid });
}
