import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host, HostOptions } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import type { Io } from './io.ts';
import type { GlobalOptions } from './output.ts';

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

/**
 * Runs a command with an embedded host that lives as long as the command. The host is closed on every path, so that no
 * plugin outlives the command.
 */
export async function withHost<T>(
  io: Io,
  options: GlobalOptions,
  work: (host: Host) => Promise<T>,
  more: Partial<HostOptions> = {},
): Promise<T> {
  const home = homeDirectory(io, options);
  // Loaded by the commands that need it only, so that the others start fast.
  const { createHost, defaultSearchPath, sealDescriptors } = await import('@mmm/host');
  if (io.ownsProcess === true) sealDescriptors();
  const host = await createHost({
    home,
    project: io.cwd,
    searchPath: defaultSearchPath({
      home,
      project: io.cwd,
      userHome: io.env.HOME,
      configHome: io.env.XDG_CONFIG_HOME,
      dataHome: io.env.XDG_DATA_HOME,
    }),
    environment: definedEntries(io.env),
    caller: { kind: 'cli', id: 'mmm' },
    locale: locale(io),
    ...more,
  });
  try {
    return await work(host);
  } finally {
    await host.close();
  }
}

/**
 * As `withHost`, for commands that only look: a home that is not there is not made, and they see an empty one.
 * `work` is told the folder that is missing.
 */
export async function withHostToRead<T>(
  io: Io,
  options: GlobalOptions,
  work: (host: Host, missing: string | undefined) => Promise<T>,
): Promise<T> {
  const home = homeDirectory(io, options);
  if (existsSync(home)) return await withHost(io, options, (host) => work(host, undefined));
  const empty = mkdtempSync(join(tmpdir(), 'mmm-empty-'));
  try {
    return await withHost(io, options, (host) => work(host, home), { home: empty });
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}

function definedEntries(env: Io['env']): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** `de_AT.UTF-8` → `de-AT`. */
function locale(io: Io): string {
  const name = (io.env.LC_ALL ?? io.env.LC_MESSAGES ?? io.env.LANG ?? '').split('.')[0] ?? '';
  return /^[a-z]{2}(_[A-Z]{2})?$/.test(name) ? name.replace('_', '-') : 'en';
}
