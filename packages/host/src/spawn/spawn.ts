import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { MmmError, wireLimits } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { execa } from 'execa';
import { hostLimits } from '../limits.ts';
import { LineRate } from '../log/line-rate.ts';
import type { ProcessRecords } from '../processes/process-records.ts';
import type { LaunchCommand } from '../sandbox/launch-command.ts';
import type { LimitBreach } from '../watchdog/breach.ts';
import type { LimitWatch } from '../watchdog/limit-watch.ts';
import type { Watched } from '../watchdog/watchdog.ts';
import type { Child, ChildExit } from './child.ts';
import { childTransport } from './child-transport.ts';
import { type EgressDoors, openWay, type WayServices } from './egress-way.ts';
import { ProcessGroup } from './process-group.ts';
import { type LineReading, readLines } from './read-lines.ts';
import { reapAfterExit } from './reap-orphans.ts';
import { SandboxStatus } from './sandbox-status.ts';
import { leakingDescriptors } from './seal-descriptors.ts';
import { openShown, verifyShown } from './shown-paths.ts';
import { LineTail } from './stderr-log.ts';

/** Every number up to the last one costs a little at each start. */
const coveredMax = 4096;

/** Looks at the pipes of a process that is gone, at most, and without anything new: a grandchild may print for ever. */
const drainTurns = 50;
const silentTurns = 3;

type WatchedProcess = Pick<Watched, 'pid' | 'helpers' | 'exceeded'>;

export interface SpawnServices {
  readonly plugin: string;
  readonly clock: Clock;
  /** One line the plugin printed on stderr; `cut` when only its start is given. */
  onLine(stream: 'stderr', line: string, cut: boolean): void;
  /** Lines on stderr over the rate of a log, which `onLine` is not told of. */
  onDropped?(lines: number): void;
  /** Lines of stderr that are kept in a second. Default: `hostLimits.logLinesPerSecond`. */
  readonly linesPerSecond?: number;
  /** Watches the limits of what was started, and has it ended when it goes over one. Default: nobody does. */
  watch?(process: WatchedProcess): LimitWatch;
  /** Opens the proxy of a launch with network grants. Such a launch fails without it. */
  readonly egress?: EgressDoors;
  /** Where the process is written down for as long as it runs. Default: nowhere. */
  readonly records?: Pick<ProcessRecords, 'add' | 'list'>;
  /** Makes a line fit to be kept, in the log and in the tail. Default: as it is. */
  redact?(line: string, cut: boolean): string;
}

/**
 * Starts the process, in a group of its own and with exactly the given environment. Resolves when the kernel has
 * started it. Throws PROGRAM_NOT_FOUND or LAUNCH_FAILED when it could not be started. To be called on the main thread
 * only: the tie of the child's life to ours is to the thread that started it.
 */
export async function spawn(command: LaunchCommand, services: SpawnServices): Promise<Child> {
  const subprocess = start(command, services.plugin);
  // With `reject: false` it still rejects on mistakes in the options.
  const result = subprocess.catch((error: unknown) => ({ code: undefined, message: String(error) }));
  const { pid } = subprocess;
  const { stdin, stdout, stderr } = subprocess;
  if (pid === undefined || stdin === null || stdout === null || stderr === null) {
    const failed = (await result) as { code?: string; message?: string };
    throw spawnError(command, services.plugin, failed.code, failed.message ?? 'no process was started');
  }
  // Everything is attached in this turn: execa lets streams nobody listens to run dry in the next one.
  const transport = childTransport(stdin, stdout);
  const tail = new LineTail(hostLimits.stderrTailBytes, services.redact);
  const lines = keepLines(stderr, tail, services);
  const status = statusOf(command, subprocess.stdio);
  const group = new ProcessGroup(pid, status, command.mechanism === 'landlock');
  const recorded = services.records?.add(services.plugin, pid, ownHome(command));
  const startedAtMs = services.clock.now();
  let breach: LimitBreach | undefined;
  const watch = services.watch?.({
    pid,
    helpers: helpersOf(command),
    exceeded: (exceeded) => {
      breach = exceeded;
      group.signal('SIGKILL');
    },
  });
  const exited = new Promise<ChildExit>((resolve) => {
    subprocess.once('exit', (code, signal) => {
      group.end();
      lines.finish();
      if (recorded !== undefined && services.records !== undefined) reapAfterExit(recorded, services.records);
      void drained([stdout, stderr, subprocess.stdio[command.statusDescriptor ?? -1]], services.clock).then(() => {
        stdin.destroy();
        const exit = pluginExit(code, signal, status);
        const explained = watch?.ended({ ...exit, stderrTail: tail.text() });
        breach ??= explained;
        resolve(exit);
      });
    });
  });
  for (const { fd, bytes } of command.descriptors) feed(subprocess.stdio[fd], bytes);
  if (command.blockDescriptor !== null) {
    const block = subprocess.stdio[command.blockDescriptor] as Writable;
    await released(command, { ...services, sandbox: status?.started, block, exited }).catch(async (error: unknown) => {
      group.signal('SIGKILL');
      await exited;
      throw error;
    });
  }
  return {
    pid,
    get pluginPid() {
      return group.pluginPid;
    },
    startedAtMs,
    get breach() {
      return breach;
    },
    transport,
    exited,
    stderrTail: () => tail.text(),
    addToTail: (line) => tail.add(line),
    closeInput: () => {
      stdin.end();
    },
    kill: (signal) => group.signal(signal),
  };
}

/** What has to be before the plugin starts: it sees what was judged, and the way to its hosts is open. */
async function released(command: LaunchCommand, way: WayServices): Promise<void> {
  if (!command.bindsDescriptors && command.shown.length > 0) {
    const pid = await way.sandbox;
    if (pid !== undefined) await verifyShown(command.shown, pid, way.plugin, way.clock);
  }
  if (command.egress !== null) return await openWay(command.egress, way);
  way.block.on('error', () => undefined);
  way.block.end('\n');
}

/**
 * HOME of a plugin that sees the host's files, which is a folder of its own: what it starts can be known by it. Null
 * where every plugin's has the same name, and where a namespace ends what it starts.
 */
function ownHome({ mechanism, args, env, uid }: LaunchCommand): string | null {
  const hasNamespace = args.includes('--kill-child') || args.includes('--pid-namespace');
  if (mechanism === 'bubblewrap' || uid !== process.getuid?.() || hasNamespace) return null;
  return env.HOME ?? null;
}

/** Processes of ours that stay beside the plugin. */
function helpersOf({ mechanism, args }: LaunchCommand): number {
  if (mechanism === 'none') return 0;
  return mechanism === 'bubblewrap' || args.includes('--init') ? 2 : 1;
}

function start(command: LaunchCommand, plugin: string) {
  const numbers = command.descriptors.map(({ fd }) => fd);
  const shown = openShown(command.bindsDescriptors ? command.shown : [], plugin);
  const used = [command.statusDescriptor ?? 0, command.blockDescriptor ?? 0, ...numbers, ...shown.numbers.keys()];
  const highest = Math.max(2, ...used);
  const nothing = openSync('/dev/null', 'r');
  try {
    return execa(command.file, [...command.args], {
      cwd: command.cwd,
      // Node adds its own coverage folder to every child that does not refuse it by name.
      env: { ...command.env, NODE_V8_COVERAGE: undefined },
      extendEnv: false,
      detached: true,
      cleanup: false,
      // The defaults keep all output in memory and end a child that printed 100 MB.
      buffer: false,
      reject: false,
      stripFinalNewline: false,
      stdio: ['pipe', 'pipe', 'pipe', ...pipesUpTo(highest, shown.numbers), ...coversAbove(highest, nothing, plugin)],
    });
  } finally {
    // The process was started by now, with a copy of its own.
    closeSync(nothing);
    shown.close();
  }
}

/** One pipe for every descriptor from 3 up to the highest in use, but for what is handed on as it is. */
function pipesUpTo(highest: number, given: ReadonlyMap<number, number>): 'pipe'[] {
  const stdio = Array.from({ length: highest - 2 }, (_, index) => given.get(index + 3) ?? 'pipe');
  // Its types know numbers for the first three only; it hands them on as they are.
  return stdio as 'pipe'[];
}

/**
 * What the program around this host inherited or opened for its children is not ours to close, and not the plugin's to
 * have: in the child each such descriptor is replaced by an empty one. `ignore` leaves the others, which are closed.
 */
function coversAbove(highest: number, nothing: number, plugin: string): 'ignore'[] {
  const leaking = leakingDescriptors().filter((fd) => fd > highest && fd !== nothing);
  const last = Math.max(highest, ...leaking);
  if (last > coveredMax) {
    const reason = `descriptor ${last} of the host's process is open for its children and too high to be kept from it`;
    const sentence = `Plugin "${plugin}" was not started: ${reason}. Close it, or mark it close-on-exec.`;
    throw new MmmError('LAUNCH_FAILED', sentence, { plugin, stage: 'spawn', reason, stderrTail: '' });
  }
  const covers = Array.from({ length: last - highest }, (_, index) =>
    leaking.includes(highest + 1 + index) ? nothing : 'ignore',
  );
  // Its types know numbers for the first three only; it hands them on as they are.
  return covers as 'ignore'[];
}

function feed(stream: unknown, bytes: Uint8Array): void {
  const pipe = stream as Writable;
  // A child that ended before it read this shows in its exit.
  pipe.on('error', () => undefined);
  pipe.end(bytes);
}

function keepLines(stderr: Readable, tail: LineTail, services: SpawnServices): LineReading {
  const { linesPerSecond = hostLimits.logLinesPerSecond } = services;
  const rate = new LineRate({ linesPerSecond, bytesPerSecond: hostLimits.logBytesPerSecond }, services.clock);
  return readLines(stderr, wireLimits.logLineBytes, services.clock, {
    admits: () => rate.take(),
    line: (printed, cut) => {
      rate.spend(printed.length);
      tail.add(printed, cut);
      services.onLine('stderr', services.redact?.(printed, cut) ?? printed, cut);
    },
    dropped: (lines, bytes) => {
      tail.addFrom(bytes);
      services.onDropped?.(lines);
    },
  });
}

function statusOf(command: LaunchCommand, stdio: readonly unknown[]): SandboxStatus | undefined {
  return command.statusDescriptor === null ? undefined : new SandboxStatus(stdio[command.statusDescriptor] as Readable);
}

/** Resolves when every stream has ended, or after a bounded moment, and lets none of them live on. */
async function drained(streams: readonly unknown[], clock: Clock): Promise<void> {
  const open = (streams as (Readable | undefined)[]).filter((stream) => stream !== undefined && stream !== null);
  const over = new AbortController();
  const ended = open.map((stream) => {
    return new Promise<void>((resolve) => {
      if (stream.readableEnded || stream.destroyed) resolve();
      else stream.once('end', resolve).once('close', resolve);
    });
  });
  let heard = false;
  for (const stream of open)
    stream.on('data', () => {
      heard = true;
    });
  // A busy host may see the exit, and then the end of this time, before it looked at the pipes: it goes on as long as
  // each look brings something, which for what the dead left behind is not long.
  const late = clock.sleep(hostLimits.pipeDrainMs, over.signal).then(
    async () => {
      for (let turn = 0, silent = 0; turn < drainTurns && silent < silentTurns; turn++) {
        heard = false;
        await new Promise<void>((resolve) => clock.immediate(() => clock.immediate(resolve)));
        silent = heard ? 0 : silent + 1;
      }
    },
    () => undefined,
  );
  await Promise.race([Promise.all(ended), late]);
  over.abort();
  for (const stream of open) stream.destroy();
}

/** bubblewrap ends with 128 + n for a plugin that signal n ended, as a shell does. */
function pluginExit(code: number | null, signal: NodeJS.Signals | null, status: SandboxStatus | undefined): ChildExit {
  if (signal !== null || code === null) return { code: null, signal: signal ?? 'SIGKILL' };
  if (status === undefined) return { code, signal: null };
  if (code !== 0 && status.exitCode === undefined) return { code, signal: null, sandboxFailed: true };
  const name = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return name === undefined ? { code, signal: null } : { code: null, signal: name as NodeJS.Signals };
}

function spawnError(command: LaunchCommand, plugin: string, code: string | undefined, message: string): MmmError {
  if (code === 'ENOENT' && command.mechanism === 'none') {
    const searched = [dirname(command.file)];
    const sentence = `Plugin "${plugin}" starts "${command.file}", which is gone. Install the plugin again.`;
    return new MmmError('PROGRAM_NOT_FOUND', sentence, { plugin, program: command.file, searched });
  }
  const why: Readonly<Record<string, string>> = {
    EAGAIN: 'the system has no room for another process; stop some and try again',
    EMFILE: 'the host has too many files open; raise its limit with `ulimit -n`',
    ENOENT: `${command.file} is not there any more; run \`mmm doctor\``,
    EACCES: `${command.file} may not be executed`,
  };
  const reason = why[code ?? ''] ?? message;
  return new MmmError('LAUNCH_FAILED', `Plugin "${plugin}" could not be started: ${reason}.`, {
    plugin,
    stage: 'spawn',
    reason,
    stderrTail: '',
  });
}
