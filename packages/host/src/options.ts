import { isAbsolute } from 'node:path';
import { type CallContext, MmmError } from '@mmm/protocol';
import { type Clock, systemClock } from '@mmm/rpc';
import type { HostOptions } from './api.ts';
import { type Home, openHome } from './home.ts';
import { type PermissionPolicy, resolvePolicy } from './permit/policy.ts';

/** Options with every default applied, once, at the door. */
export interface ResolvedOptions {
  readonly home: Home;
  readonly project: string | undefined;
  readonly sandboxNoneFor: ReadonlySet<string>;
  readonly prompter: HostOptions['prompter'];
  readonly onLog: HostOptions['onLog'];
  readonly development: HostOptions['development'];
  readonly lookup: HostOptions['lookup'];
  readonly policy: PermissionPolicy;
  readonly environment: Readonly<Record<string, string>>;
  readonly caller: CallContext['caller'];
  readonly locale: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Checks the options and makes the home folder. Throws CONFIG_INVALID or HOME_INVALID. */
export function resolveOptions(options: HostOptions): ResolvedOptions {
  const { project } = options;
  if (project !== undefined && !isAbsolute(project)) {
    throw new MmmError('CONFIG_INVALID', `The project folder "${project}" must be an absolute path.`, {
      file: 'options',
      issues: [{ path: 'project', message: 'must be an absolute path' }],
    });
  }
  const home = openHome(options.home);
  return {
    home,
    project,
    sandboxNoneFor: new Set(options.sandboxNoneFor ?? []),
    prompter: options.prompter,
    onLog: options.onLog,
    development: options.development,
    lookup: options.lookup,
    policy: resolvePolicy(options.policy),
    environment: options.environment ?? {},
    caller: options.caller ?? { kind: 'host', id: 'host' },
    locale: options.locale ?? 'en',
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}
