import type { CallContext, MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { ReloadReport } from './api-reload.ts';
import type { SchemaValidator } from './call/schema.ts';
import type { Prompter } from './clients/prompter.ts';
import type { Redactor } from './config/redactor.ts';
import type { Session } from './handshake/session.ts';
import type { PluginChange } from './host-events.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { PluginLimits } from './settings/limits.ts';
import type { CrashMemory } from './store/crash-memory.ts';
import type { SupervisionPolicy } from './supervise/policy.ts';
import type { Spare } from './supervise/spares.ts';
import type { TakeSpare } from './supervise/supervisor.ts';
import type { SessionWait } from './supervise/waiters.ts';

/** What one handle needs of the host that made it. */
export interface PluginServices {
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Pick<MetricsRecorder, 'loaded' | 'called' | 'exited' | 'restarted'>;
  readonly schemas: SchemaValidator;
  readonly caller: CallContext['caller'];
  /** Puts questions in a line, one at a time. */
  inLine(prompter: Prompter): Prompter;
  /** Asked during calls that name nobody else. */
  readonly prompter: Prompter | undefined;
  /** Takes the plugin's secrets out of errors; undefined when it has none. */
  readonly redactor: Redactor | undefined;
  readonly limits: Pick<PluginLimits, 'concurrency' | 'calls_per_second'>;
  /** Told of every call before it is made. */
  called(): void;
  readonly supervision: SupervisionPolicy;
  /** What outlives this host of its crashes; undefined when nothing does. */
  readonly crashes: CrashMemory | undefined;
  /** Told of every call that is refused because there are too many. */
  rateLimited(error: MmmError<'RATE_LIMITED'>): void;
  /** Starts one session, or takes what was kept ready, if that is still fit. */
  launch(signal: AbortSignal, takeSpare: TakeSpare): Promise<Session>;
  /** Starts a process to keep ready; undefined for a plugin that is none of its own. */
  readonly prepare: ((signal: AbortSignal) => Promise<Spare>) | undefined;
  /** What it needs of other plugins; undefined when it needs none. */
  readonly needs: PluginNeeds | undefined;
  /** Stops the plugins that need this one. */
  stopDependents(): Promise<void>;
  /** Whether one of them runs: then this one is not idle. */
  isNeeded(): boolean;
  /** The text of a file of the verified bundle. Starts nothing; throws what verifying throws. */
  readFile(path: string): Promise<string>;
  /** Throws HOST_CLOSED or PLUGIN_DISABLED. */
  assertUsable(): void;
  /** False from the moment the host is told to close. */
  isOpen(): boolean;
  /** Brings it to the version that another process installed meanwhile; undefined when there is none. */
  latest(): Promise<void> | undefined;
  /** Starts it anew, of the version that is installed by now. */
  restart(): Promise<ReloadReport>;
  /** Told of each start, each end and each quarantine. */
  observe(change: PluginChange): void;
  /** A line of the host's in the plugin's log. */
  note(level: 'info' | 'warn' | 'error', message: string): void;
}

export interface PluginNeeds {
  /** Nothing has to be started or waited for. */
  areRunning(): boolean;
  /** Starts what is missing. Throws why it cannot. */
  start(wait: SessionWait): Promise<void>;
}
