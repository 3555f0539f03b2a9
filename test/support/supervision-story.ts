import type { RestartPolicy } from '../../packages/host/src/supervise/policy.ts';

/** The fixture that stands for the plugin where there are processes. */
export const storyFixture = 'crashes-on-execute-python';

/** How a plugin ends: what `run` of that fixture takes. */
export type End = { readonly code: number } | { readonly signal: string };

/** Something that supervises one plugin: on a fake clock or with real processes. Times in its own milliseconds. */
export interface World {
  /** One call that the plugin answers. Resolves with `answered` or the code of the error. */
  call(): Promise<string>;
  /** One call under which it ends like this. Resolves when that was noticed. */
  end(end: End): Promise<string>;
  pass(ms: number): Promise<void>;
  /** Resolves when the plugin is in this state. */
  reaches(kind: string): Promise<void>;
  reset(): void;
}

/** One change of state, and when. */
export interface Moment {
  readonly state: string;
  readonly atMs: number;
}

export interface Chapter {
  readonly name: string;
  readonly policy: RestartPolicy['kind'];
  /** Restarted and stopped by itself after these, in seconds: as `[supervision]` says it. */
  readonly settings: Readonly<Record<string, number>>;
  /** Gives what the calls led to. */
  tell(world: World): Promise<readonly string[]>;
}

const ends: Readonly<Record<string, End>> = { clean: { code: 0 }, exit: { code: 3 }, signal: { signal: 'SIGSEGV' } };
/** Long against what a start costs a hundred times as fast, and all of them in the proportions of the defaults. */
const settings = { backoff_ms: 20_000, backoff_max_s: 600, window_s: 1_800, stable_s: 200, quarantine_s: 300 };

/** Each policy with each end: what follows when nobody calls, and what the next call finds. */
const matrix: readonly Chapter[] = (['always', 'on_failure', 'never'] as const).flatMap((policy) =>
  Object.entries(ends).map(([name, end]) => ({
    name: `${policy}, ${name}`,
    policy,
    settings,
    tell: async (world: World) => [await world.call(), await world.end(end), await world.call()],
  })),
);

export const chapters: readonly Chapter[] = [
  ...matrix,
  {
    name: 'five crashes, quarantine, a trial that crashes, a trial that lasts, a reset',
    policy: 'on_failure',
    settings,
    tell: async (world) => {
      const outcomes: string[] = [];
      for (let crash = 1; crash <= 5; crash += 1) outcomes.push(await world.end({ code: 3 }));
      outcomes.push(await world.call());
      await world.pass(310_000);
      outcomes.push(await world.end({ signal: 'SIGKILL' }), await world.call());
      await world.pass(310_000);
      outcomes.push(await world.call());
      await world.pass(210_000);
      outcomes.push(await world.end({ code: 3 }), await world.call());
      return outcomes;
    },
  },
  {
    name: 'nobody calls it',
    policy: 'on_failure',
    settings: { ...settings, idle_stop_s: 300 },
    tell: async (world) => {
      const before = await world.call();
      await world.reaches('stopped');
      return [before, await world.call()];
    },
  },
];

/** The settings of one chapter as config.toml says them. */
export function settingsText({ policy, settings: numbers }: Chapter): string {
  const lines = Object.entries(numbers).map(([key, value]) => `${key} = ${value}`);
  return `[supervision]\npolicy = "${policy}"\n${lines.join('\n')}\n`;
}
