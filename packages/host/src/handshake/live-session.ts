import { type CapabilityRef, type ExitReason, pluginMethods } from '@mmm/protocol';
import type { Clock, CloseCause, Connection } from '@mmm/rpc';
import type { OpenCalls } from '../clients/open-calls.ts';
import { hostLimits } from '../limits.ts';
import type { PermittedPlugin } from '../permit/permitted.ts';
import type { EnforcementReport } from '../sandbox/launch-command.ts';
import type { Child, ChildExit } from '../spawn/child.ts';
import type { LimitBreach } from '../watchdog/breach.ts';
import type { Session, SessionEnd } from './session.ts';

/** How a child is brought to an end; `spawn/stop.ts` for a process. Injected, because stages call no other stage. */
export type StopChild = (child: Child, requestShutdown: () => Promise<void>) => Promise<ChildExit>;

type SessionFacts = 'connection' | 'openCalls' | 'plugin' | 'capabilities' | 'features' | 'enforcement' | 'loadMs';

export interface LiveSessionParts extends Pick<Session, SessionFacts> {
  readonly child: Child;
  readonly clock: Clock;
  readonly stopChild: StopChild;
  isDebugged(): boolean;
}

/** The only implementation of Session. Its one mutable fact is the first cause that was seen. */
export class LiveSession implements Session {
  readonly pid: number;
  readonly plugin: PermittedPlugin;
  readonly connection: Connection;
  readonly openCalls: OpenCalls;
  readonly capabilities: readonly CapabilityRef[];
  readonly features: ReadonlySet<string>;
  readonly enforcement: EnforcementReport;
  readonly loadMs: number;
  readonly exited: Promise<ExitReason>;
  readonly #child: Child;
  readonly #clock: Clock;
  readonly #stopChild: StopChild;
  readonly #isDebugged: () => boolean;
  /** Set by the host before it ends the process itself: the exit that follows is not the plugin's doing. */
  #cause: SessionEnd | undefined;
  #stopping: Promise<ExitReason> | undefined;

  constructor(parts: LiveSessionParts) {
    this.pid = parts.child.pid;
    this.plugin = parts.plugin;
    this.connection = parts.connection;
    this.openCalls = parts.openCalls;
    this.capabilities = parts.capabilities;
    this.features = parts.features;
    this.enforcement = parts.enforcement;
    this.loadMs = parts.loadMs;
    this.#child = parts.child;
    this.#clock = parts.clock;
    this.#stopChild = parts.stopChild;
    this.#isDebugged = () => parts.isDebugged();
    this.exited = this.#end();
    void this.connection.closed.then((cause) => this.#connectionClosed(cause));
  }

  isDebugged(): boolean {
    return this.#isDebugged();
  }

  stop(reason: string): Promise<ExitReason> {
    this.#cause ??= { kind: 'requested', detail: reason };
    this.#stopping ??= this.#stopChild(this.#child, async () => {
      const isBusy = this.connection.inFlight > 0;
      const graceMs = isBusy ? hostLimits.busyShutdownGraceMs : hostLimits.shutdownGraceMs;
      // Any answer, an error included, moves on to the next rung.
      await this.connection
        .call(pluginMethods.shutdown, { reason, grace_ms: graceMs }, { timeoutMs: graceMs })
        .catch(() => undefined);
    }).then(() => this.exited);
    return this.#stopping;
  }

  kill(cause: SessionEnd): void {
    this.#cause ??= cause;
    this.#child.kill('SIGKILL');
  }

  async #end(): Promise<ExitReason> {
    const exit = await this.#child.exited;
    // Answers that were already in the pipe when the process died are read before calls are failed.
    this.connection.close('the process ended');
    await this.connection.closed;
    return exitReason(exit, this.#cause, this.#child.stderrTail(), this.#child.breach);
  }

  /** A plugin that lives on without its pipe can answer nothing: it gets a moment to exit, then it is killed. */
  async #connectionClosed(cause: CloseCause): Promise<void> {
    if (cause.kind === 'disposed') return;
    if (cause.kind === 'unresponsive' || cause.kind === 'protocol') {
      this.kill({ kind: cause.kind, detail: cause.detail });
      return;
    }
    const grace = new AbortController();
    void this.#child.exited.then(() => grace.abort());
    await this.#clock.sleep(hostLimits.closedPipeGraceMs, grace.signal).catch(() => undefined);
    if (grace.signal.aborted) return;
    this.kill({ kind: 'protocol', detail: 'it closed its standard output and went on running' });
  }
}

/** Turns an exit and what the host had decided before it into the one reason that is reported. */
export function exitReason(
  exit: ChildExit,
  cause: SessionEnd | undefined,
  stderrTail: string,
  breach?: Pick<LimitBreach, 'kind' | 'detail'>,
): ExitReason {
  if (cause?.kind === 'requested') return { kind: 'requested' };
  // Before what the host noticed of it: a plugin that is ended for its memory may have stopped reading before.
  if (breach !== undefined) return { kind: breach.kind, detail: breach.detail, stderrTail };
  if (cause !== undefined) return { kind: cause.kind, detail: cause.detail, stderrTail };
  if (exit.sandboxFailed === true) return { kind: 'sandbox', detail: 'it could not be set up', stderrTail };
  if (exit.signal !== null) return { kind: 'signal', signal: exit.signal, stderrTail };
  if (exit.code === 0) return { kind: 'clean', stderrTail };
  return { kind: 'exit', code: exit.code ?? -1, stderrTail };
}
