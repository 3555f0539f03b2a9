import type { CapabilityRef, ExitReason } from '@mmm/protocol';
import type { Connection } from '@mmm/rpc';
import type { OpenCalls } from '../clients/open-calls.ts';
import type { PermittedPlugin } from '../permit/permitted.ts';
import type { EnforcementReport } from '../sandbox/launch-command.ts';

/** One life of one plugin process. Ends exactly once, always with a reason. */
export interface Session {
  /** 0 for a plugin registered in-process. */
  readonly pid: number;
  readonly plugin: PermittedPlugin;
  readonly connection: Connection;
  /** What it works on, and for whom. */
  readonly openCalls: OpenCalls;
  /** The capabilities it offers: the manifest's, or fewer when it left some out. */
  readonly capabilities: readonly CapabilityRef[];
  readonly features: ReadonlySet<string>;
  readonly enforcement: EnforcementReport;
  /** From before the spawn to the accepted answer to initialize. */
  readonly loadMs: number;
  /** Resolves once, after the process is gone and every pending call was settled; never rejects. */
  readonly exited: Promise<ExitReason>;
  /** Whether somebody debugs it now: its silence means nothing then. */
  isDebugged(): boolean;
  /** shutdown request → stdin end → SIGTERM → SIGKILL; resolves when the process is gone. */
  stop(reason: string): Promise<ExitReason>;
  /** SIGKILL of the group at once; `cause` becomes the reason unless the session had ended already. */
  kill(cause: SessionEnd): void;
}

/** Why the host ended a session by force. */
export interface SessionEnd {
  readonly kind: 'protocol' | 'unresponsive' | 'requested';
  readonly detail: string;
}
