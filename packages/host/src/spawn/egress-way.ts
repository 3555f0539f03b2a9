import type { Readable, Writable } from 'node:stream';
import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { execa } from 'execa';
import type { EgressDoor } from '../egress/egress.ts';
import { type EgressPlan, forwarderCommand, forwarderReady } from '../egress/forwarder.ts';
import type { EgressRule } from '../egress/rule.ts';
import { hostLimits } from '../limits.ts';
import { reapOnExit } from './reap.ts';

/** Opens the proxy of this launch. */
export interface EgressDoors {
  open(rules: readonly EgressRule[]): Promise<EgressDoor>;
}

export interface WayServices {
  readonly plugin: string;
  readonly clock: Clock;
  readonly egress?: EgressDoors;
  /** The first process of the sandbox, once it is there. */
  readonly sandbox: Promise<number | undefined> | undefined;
  /** What the plugin waits on. */
  readonly block: Writable;
  /** Settles when the plugin has ended: the way ends with it. */
  readonly exited: Promise<unknown>;
}

/**
 * Opens the way from a sandbox to its hosts and then lets the plugin start: the proxy, and the forwarder that listens
 * for it inside. Resolves also when the sandbox ended meanwhile, which its exit tells. Throws LAUNCH_FAILED when the
 * way cannot be opened; the plugin has then not started.
 */
export async function openWay(plan: EgressPlan, services: WayServices): Promise<void> {
  const { egress, sandbox, block, exited, plugin } = services;
  block.on('error', () => undefined);
  if (egress === undefined) throw failed(plugin, 'this host has no proxy');
  const door = await egress.open(plan.rules).catch((error: unknown) => {
    throw failed(plugin, `its proxy could not be opened (${error instanceof Error ? error.message : String(error)})`);
  });
  const forget = reapOnExit(() => door.close());
  void exited.then(() => {
    forget();
    door.close();
  });
  const sandboxPid = await sandbox;
  if (sandboxPid === undefined) return;
  const ready = startForwarder(plan, sandboxPid, door.directory, services).catch((error: unknown) => {
    // A sandbox that failed takes the forwarder along; its own words, which its exit comes with, say more.
    if (isThere(sandboxPid)) throw error;
  });
  await Promise.race([ready, exited]);
  block.end('\n');
}

/** Resolves when it listens. It is killed with all its connections when the plugin has ended. */
async function startForwarder(plan: EgressPlan, pid: number, cwd: string, services: WayServices): Promise<void> {
  const { file, args } = forwarderCommand(plan, pid, hostLimits.proxyConnections);
  const forwarder = execa(file, [...args], {
    cwd,
    env: { NODE_V8_COVERAGE: undefined },
    extendEnv: false,
    // Its connections are processes of their own: they end with its group.
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = forwarder.catch(() => undefined);
  const kill = (): void => signalGroup(forwarder.pid);
  const forget = reapOnExit(kill);
  void services.exited.then(() => {
    kill();
    forget();
  });
  const over = new AbortController();
  const late = services.clock.sleep(hostLimits.forwarderStartMs, over.signal).then(
    () => `it did not listen within ${hostLimits.forwarderStartMs} ms`,
    () => 'it was not needed any more',
  );
  const printed = printedBy(forwarder.stderr, ended);
  const problem = await Promise.race([printed, late]).finally(() => over.abort());
  if (problem !== undefined) throw failed(services.plugin, `the forwarder to its proxy did not start: ${problem}`);
}

/** Undefined once it says that it listens, else what it said before it ended. Reads on, so that it never blocks. */
function printedBy(stderr: Readable, ended: Promise<unknown>): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    let isDone = false;
    stderr.setEncoding('utf8');
    stderr.on('data', (chunk: string) => {
      if (isDone) return;
      text = (text + chunk).slice(-2000);
      isDone = forwarderReady.test(text);
      if (isDone) resolve(undefined);
    });
    stderr.on('error', () => undefined);
    void ended.then(() => {
      isDone = true;
      const words = text.trim();
      resolve(words === '' ? 'it ended without a word' : words);
    });
  });
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function signalGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function failed(plugin: string, reason: string): MmmError<'LAUNCH_FAILED'> {
  const sentence = `Plugin "${plugin}" was not started: ${reason}. Run \`mmm doctor\`.`;
  return new MmmError('LAUNCH_FAILED', sentence, { plugin, stage: 'spawn', reason, stderrTail: '' });
}
