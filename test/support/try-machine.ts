// Says beforehand what this machine will do with plugins, does it, and prints both: to be run on degraded machines.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mmm } from './cli.ts';
import { fixtureHost } from './fixture-host.ts';

/** One start of a plugin, and what the audit log says of it when it ran. */
export interface TriedLaunch {
  readonly name: string;
  readonly words: readonly string[];
  /** `sandbox` of the policy. */
  readonly policy: 'landlock' | 'process' | null;
  readonly code: number;
  readonly error: { readonly name: string; readonly message: string } | null;
  readonly mechanism?: unknown;
  readonly enforcement?: unknown;
}

interface Listed {
  readonly entries: readonly { readonly detail: Pick<TriedLaunch, 'mechanism' | 'enforcement'> }[];
}

const directory = mkdtempSync(join(tmpdir(), 'mmm-machine-'));
const cleaners: (() => unknown)[] = [];
try {
  const { host, home } = await fixtureHost({ after: (clean) => cleaners.push(clean as () => unknown) }, [
    'echo',
    {
      behaviour: 'echo',
      name: 'networked',
      more: '[permissions]\nnetwork = [{ host = "granted.test", reason = "x" }]',
    },
  ]);
  await host.close();
  const cli = (...words: string[]) => mmm({ home, cwd: directory }, ...words);
  const doctor = (await cli('doctor', '--json')).json();
  const attempts = [
    { name: 'echo', words: [] },
    { name: 'echo', words: ['--landlock', 'echo'] },
    { name: 'echo', words: ['--unconfined', 'echo'] },
    { name: 'networked', words: [] },
    { name: 'networked', words: ['--landlock', 'networked'] },
    { name: 'echo', words: [], policy: 'landlock' },
    { name: 'echo', words: ['--unconfined', 'echo'], policy: 'landlock' },
    { name: 'echo', words: ['--landlock', 'echo'], policy: 'process' },
  ] as const;
  const launches: TriedLaunch[] = [];
  for (const { name, words, ...more } of attempts) {
    const policy = 'policy' in more ? more.policy : null;
    if (policy !== null) {
      writeFileSync(join(home, 'config.toml'), `[policy]\nsandbox = "${policy}"\n`, { mode: 0o600 });
    }
    const run = await cli('plugin', 'exec', name, 'run', '--input', '{"a":1}', '--json', ...words);
    const { entries } = (
      await cli('audit', 'list', '--action', 'launch', '--plugin', name, '--json')
    ).json() as unknown as Listed;
    const { mechanism, enforcement } = entries.at(-1)?.detail ?? {};
    const error = run.code === 0 ? null : ((run.json().error ?? null) as TriedLaunch['error']);
    launches.push({
      name,
      words,
      policy,
      code: run.code,
      error,
      ...(run.code === 0 ? { mechanism, enforcement } : {}),
    });
  }
  writeFileSync(1, JSON.stringify({ doctor, launches }));
} finally {
  for (const clean of cleaners) await clean();
  rmSync(directory, { recursive: true, force: true });
}
