import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host, HostClient, HostOptions, SetAside } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Io } from './io.ts';
import { type GlobalOptions, note } from './output.ts';

/** `--home`, else MMM_HOME, else `~/.mmm`. */
export function homeDirectory(io: Io, options: GlobalOptions): string {
  if (options.home === '') {
    const message = '--home is empty. Name a folder, or leave it out for MMM_HOME or ~/.mmm.';
    throw new MmmError('HOME_INVALID', message, { path: '', reason: 'empty' });
  }
  const named = options.home ?? io.env.MMM_HOME;
  if (named !== undefined && named !== '') return named.startsWith('/') ? named : join(io.cwd, named);
  const user = io.env.HOME;
  if (user === undefined || !user.startsWith('/')) {
    throw new MmmError(
      'HOME_INVALID',
      'HOME is not set, so there is no default place for mmm. Pass --home DIR or set MMM_HOME.',
      {
        path: user ?? '',
        reason: 'HOME is not set',
      },
    );
  }
  return join(user, '.mmm');
}

/** What a command may say about the host that it works with. */
export type CommandHostOptions = Pick<HostOptions, 'prompter'> & {
  /** Plugins that run without a sandbox for this one command: in its own process, whoever else serves the home. */
  readonly sandboxNoneFor?: readonly string[];
};

/**
 * Runs a command with the daemon of its home, or without one with an embedded host that lives as long as the command.
 * What comes back is the same. Either is let go on every path, so that nothing outlives the command that belongs to it.
 */
export async function withHost<T>(
  io: Io,
  options: GlobalOptions,
  work: (host: HostClient) => Promise<T>,
  more: CommandHostOptions = {},
): Promise<T> {
  const home = homeDirectory(io, options);
  if (more.sandboxNoneFor !== undefined) return await withOwnHost(io, options, work, more);
  const { connectDaemon } = await import('@mmm/host');
  const { prompter } = more;
  const daemon = await connectDaemon(home, {
    client: { kind: 'cli', id: 'mmm' },
    project: io.cwd,
    ...(prompter === undefined ? {} : { prompter }),
  });
  if (daemon === undefined) return await withOwnHost(io, options, work, more);
  try {
    return await work(daemon.host);
  } finally {
    daemon.client.close();
  }
}

/** As `withHost`, with a host in this process even where a daemon runs: for what no other process can do. */
export async function withOwnHost<T>(
  io: Io,
  options: GlobalOptions,
  work: (host: Host) => Promise<T>,
  more: Partial<HostOptions> = {},
): Promise<T> {
  const home = homeDirectory(io, options);
  // Loaded by the commands that need it only, so that the others start fast.
  const { createHost, sealDescriptors } = await import('@mmm/host');
  if (io.ownsProcess === true) sealDescriptors();
  const host = await createHost({
    home,
    project: io.cwd,
    searchPath: await searchPath(io, home, io.cwd),
    environment: definedEntries(io.env),
    caller: { kind: 'cli', id: 'mmm' },
    locale: locale(io),
    ...more,
  });
  try {
    if (host.setAside !== null) note(io, setAsideText(host.setAside));
    return await work(host);
  } finally {
    await host.close();
  }
}

/** Where plugins are looked for, for somebody in this folder. */
export async function searchPath(
  io: Pick<Io, 'env'>,
  home: string,
  project: string | undefined,
): Promise<NonNullable<HostOptions['searchPath']>> {
  const { defaultSearchPath } = await import('@mmm/host');
  const { HOME: userHome, XDG_CONFIG_HOME: configHome, XDG_DATA_HOME: dataHome } = io.env;
  return defaultSearchPath({ home, project, userHome, configHome, dataHome });
}

/**
 * As `withHost`, for commands that only look: a home that is not there is not made, and they see an empty one.
 * `work` is told the folder that is missing.
 */
export async function withHostToRead<T>(
  io: Io,
  options: GlobalOptions,
  work: (host: HostClient, missing: string | undefined) => Promise<T>,
): Promise<T> {
  const home = homeDirectory(io, options);
  if (existsSync(home)) return await withHost(io, options, (host) => work(host, undefined));
  const empty = mkdtempSync(join(tmpdir(), 'mmm-empty-'));
  try {
    return await withOwnHost(io, options, (host) => work(host, home), { home: empty });
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}

/** The environment as the library takes it. */
export function definedEntries(env: Io['env']): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** `de_AT.UTF-8` → `de-AT`. */
function locale(io: Io): string {
  const name = (io.env.LC_ALL ?? io.env.LC_MESSAGES ?? io.env.LANG ?? '').split('.')[0] ?? '';
  return /^[a-z]{2}(_[A-Z]{2})?$/.test(name) ? name.replace('_', '-') : 'en';
}

function setAsideText({ file, reason }: SetAside): string {
  return (
    `The state file was damaged (${safeText(reason, 400)}) and was set aside as ${file}. Nothing is granted any more ` +
    'and every installed plugin is disabled: restore a backup with `mmm restore FILE`, or grant and enable again.'
  );
}
