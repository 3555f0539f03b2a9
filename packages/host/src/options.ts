import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type CallContext, callContext } from '@mmm/protocol';
import { type Clock, systemClock } from '@mmm/rpc';
import * as z from 'zod';
import type { HostOptions } from './api.ts';
import { absolutePath, check, functionOf, objectWith } from './arguments.ts';
import { inTurn } from './clients/in-turn.ts';
import type { Prompter } from './clients/prompter.ts';
import { type Home, openHome } from './home.ts';
import { hostLimits } from './limits.ts';
import { PermissionPolicy, type PolicySource } from './permit/policy.ts';
import { LiveSettings } from './settings/live-settings.ts';
import { listenAddress } from './settings/metrics.ts';
import { policySection } from './settings/policy.ts';
import { readSettings, type Settings } from './settings/settings.ts';
import type { StateStore } from './state/state-store.ts';

/** Options with every default applied, once, at the door. */
export interface ResolvedOptions {
  readonly home: Home;
  readonly project: string | undefined;
  readonly sandboxNoneFor: ReadonlySet<string>;
  readonly sandboxLandlockFor: ReadonlySet<string>;
  readonly prompter: HostOptions['prompter'];
  readonly stateStore: HostOptions['stateStore'];
  readonly onLog: HostOptions['onLog'];
  readonly development: HostOptions['development'];
  readonly lookup: HostOptions['lookup'];
  readonly metrics: HostOptions['metrics'];
  /** What `config.toml` of the home says, at this moment. */
  readonly settings: Settings;
  /** Where that is read again. `policy` follows it by itself. */
  readonly live: LiveSettings;
  /** Nothing of any plugin is started. */
  readonly safe: boolean;
  readonly policy: PermissionPolicy;
  readonly environment: Readonly<Record<string, string>>;
  readonly caller: CallContext['caller'];
  readonly locale: string;
  readonly concurrentStarts: number;
  readonly clock: Clock;
  readonly random: () => number;
}

const locale = z.string().min(1);

/** `process.env` is an object of a kind of its own. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : value;
}

const grants = { grantRequested: z.boolean().optional(), grant: z.array(z.string()).optional() };
const origins = ['registered', 'installed', 'project', 'user', 'system', 'path', 'development'] as const;

/** A key of HostOptions that is missing here, or the other way round, does not compile. */
const hostOptions = z.strictObject({
  // Whether it can be the home folder is said by opening it.
  home: z.string(),
  project: absolutePath.optional(),
  searchPath: z.array(z.strictObject({ directory: absolutePath, origin: z.enum(origins) })).optional(),
  sandboxNoneFor: z.array(z.string()).optional(),
  sandboxLandlockFor: z.array(z.string()).optional(),
  prompter: objectWith<Prompter>('ask').optional(),
  stateStore: objectWith<StateStore>('get', 'list', 'update').optional(),
  policy: policySection.optional(),
  environment: z.preprocess(plain, z.record(z.string(), z.string())).optional(),
  development: z.strictObject({ directory: absolutePath, ...grants }).optional(),
  onLog: functionOf<HostOptions['onLog']>().optional(),
  caller: callContext.shape.caller.optional(),
  locale: locale.optional(),
  safe: z.boolean().optional(),
  metrics: z.strictObject({ listen: listenAddress.optional() }).optional(),
  concurrentStarts: z.int().min(1).optional(),
  clock: objectWith<Clock>('now', 'monotonic', 'after', 'sleep', 'immediate').optional(),
  lookup: functionOf<HostOptions['lookup']>().optional(),
  random: functionOf<HostOptions['random']>().optional(),
} satisfies { readonly [K in keyof Required<HostOptions>]: z.ZodType });

/**
 * Checks the options, makes the home folder and reads its settings. Throws CONFIG_INVALID, with every wrong field of
 * the one or the other, or HOME_INVALID.
 */
export async function resolveOptions(options: HostOptions): Promise<ResolvedOptions> {
  check(hostOptions, options, { root: 'options', file: 'options', what: 'What was given to createHost' });
  const { project } = options;
  const home = openHome(options.home);
  const live = new LiveSettings(await readSettings(home.settingsFile));
  const policy = new PermissionPolicy(policySources(options, live.current));
  live.onChange((settings) => policy.follow(policySources(options, settings)));
  return {
    get settings() {
      return live.current;
    },
    live,
    policy,
    safe: options.safe === true,
    home,
    project: project === undefined ? undefined : withoutLinks(project),
    sandboxNoneFor: new Set(options.sandboxNoneFor ?? []),
    sandboxLandlockFor: new Set(options.sandboxLandlockFor ?? []),
    prompter: options.prompter && inTurn(options.prompter, options.clock ?? systemClock),
    stateStore: options.stateStore,
    onLog: options.onLog,
    development: options.development,
    lookup: options.lookup,
    metrics: options.metrics,
    environment: options.environment ?? {},
    caller: options.caller ?? { kind: 'host', id: 'host' },
    locale: options.locale ?? 'en',
    concurrentStarts: options.concurrentStarts ?? availableParallelism() * hostLimits.startsPerCore,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

/** The program's before the file's: it knows what it is for. Neither lifts what the other refuses. */
function policySources(options: HostOptions, { file, policy, plugins }: Settings): readonly PolicySource[] {
  const given = options.policy === undefined ? undefined : policySection.parse(options.policy);
  return [
    ...(given === undefined ? [] : [{ where: 'what was given to createHost', section: given }]),
    ...(policy === undefined ? [] : [{ where: file, section: policy }]),
    ...grantedByEntry(file, plugins),
  ];
}

/** What the entry of a listed plugin grants; it is refused all the same by whoever refuses it. */
function grantedByEntry(file: string, listed: Settings['plugins'] = []): readonly PolicySource[] {
  const plugins = Object.fromEntries(listed.map(({ name, grant }) => [name, { auto: grant }]));
  return listed.length === 0 ? [] : [{ where: `[[plugins]] of ${file}`, section: policySection.parse({ plugins }) }];
}

/** A grant of `${project}` is followed through no link, so the project is named by its real path from the start. */
function withoutLinks(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    // Not there yet: whoever uses it says so.
    return folder;
  }
}
