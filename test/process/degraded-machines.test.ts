import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nativeHelper } from '../../packages/host/src/native/native-helper.ts';
import type { SandboxProbe } from '../../packages/host/src/sandbox/probe.ts';
import { hasSeccompFilter, seccompFilter } from '../../packages/host/src/sandbox/seccomp.ts';
import { confined } from '../support/confined.ts';
import { hasCompiler } from '../support/native-program.ts';
import { unreachableFor } from '../support/ordinary-user.ts';
import type { TriedLaunch } from '../support/try-machine.ts';

const repository = join(import.meta.dirname, '../..');
const ordinaryUid = 12_346;
const system = ['/usr/local/bin', '/usr/bin', '/bin'];
const compilers = ['cc', 'gcc', 'clang'].flatMap((name) => system.map((folder) => `${folder}/${name}`));

/** A machine that lacks something. What lacks is really not there, for every program that runs in it. */
interface Machine {
  readonly name: string;
  /** Programs that nobody can start. */
  readonly without?: readonly string[];
  readonly proc?: 'read-only';
  /** As in a container: the kernel makes no namespaces and no mounts. */
  readonly namespaces?: 'refused';
  readonly as: 'root' | 'user';
  /** What must be true there, so that the test tests something. */
  expect(probe: SandboxProbe): void;
}

const bubblewrap = ['/usr/bin/bwrap'];
const works = (probe: SandboxProbe): string[] => probe.rungs.filter((rung) => rung.works).map((rung) => rung.mechanism);
const machines: readonly Machine[] = [
  {
    name: 'without bubblewrap, as root',
    without: bubblewrap,
    as: 'root',
    expect: (probe) => assert.deepEqual(works(probe), ['landlock', 'none']),
  },
  {
    name: 'without bubblewrap and without a compiler, as root',
    without: [...bubblewrap, ...compilers],
    as: 'root',
    expect: (probe) => {
      assert.deepEqual(works(probe), ['none']);
      assert.match(probe.landlock.reason ?? '', /there is no C compiler/);
    },
  },
  {
    name: 'without socat, as root',
    without: ['/usr/bin/socat'],
    as: 'root',
    expect: (probe) => assert.equal(probe.tools.socat, null),
  },
  {
    name: 'with a read-only /proc, as root',
    proc: 'read-only',
    as: 'root',
    expect: (probe) => assert.equal(probe.bubblewrap.path, '/usr/bin/bwrap'),
  },
  {
    name: 'without bubblewrap, as an ordinary user',
    without: bubblewrap,
    as: 'user',
    expect: (probe) => assert.deepEqual(works(probe), ['landlock', 'none']),
  },
  {
    name: 'without namespaces, as an ordinary user',
    namespaces: 'refused',
    as: 'user',
    expect: (probe) => {
      assert.deepEqual(works(probe), ['landlock', 'none']);
      assert.match(probe.bubblewrap.reason ?? '', /bubblewrap failed/);
      assert.equal(probe.tools.helper?.namespaces, false);
    },
  },
  {
    name: 'without namespaces and without a compiler, as an ordinary user',
    without: compilers,
    namespaces: 'refused',
    as: 'user',
    expect: (probe) => assert.deepEqual(works(probe), ['none']),
  },
  {
    name: 'with a read-only /proc, as an ordinary user',
    proc: 'read-only',
    as: 'user',
    expect: (probe) => assert.deepEqual(works(probe), ['landlock', 'none']),
  },
];

const skip =
  process.getuid?.() !== 0
    ? 'it takes root to take things away from a machine'
    : !hasCompiler
      ? 'there is no C compiler here'
      : !hasSeccompFilter(process.arch)
        ? 'mmm has no filter of system calls for this processor'
        : confined.skip;

for (const machine of machines) {
  const unreachable = machine.as === 'user' ? unreachableFor(ordinaryUid) : undefined;
  const why = skip ?? unreachable;
  const options = { timeout: 110_000, ...(why === undefined ? {} : { skip: why }) };
  test(`what doctor says of a machine ${machine.name}, is what then happens`, options, async () => {
    const { doctor, launches } = await tryMachine(machine);
    const probe = doctor.sandbox;
    machine.expect(probe);
    for (const launch of launches) assert.deepEqual(outcome(launch), predicted(launch, doctor), JSON.stringify(launch));
  });
}

interface Doctor {
  readonly checks: readonly { readonly name: string; readonly status: string }[];
  readonly sandbox: SandboxProbe;
}

/** How it is confined, or the error it is refused with. */
type Outcome = { readonly mechanism: unknown; readonly enforcement: unknown } | { readonly refused: string };

function outcome({ error, mechanism, enforcement }: TriedLaunch): Outcome {
  return error === null ? { mechanism, enforcement } : { refused: error.name };
}

const ladder = ['bubblewrap', 'landlock', 'none'];

/** What somebody who reads the report expects. */
function predicted({ name, words, policy }: TriedLaunch, { sandbox, checks }: Doctor): Outcome {
  const refused = { refused: 'SANDBOX_UNAVAILABLE' };
  const byName = words[0] === '--unconfined' ? ['none'] : words[0] === '--landlock' ? ['bubblewrap', 'landlock'] : [];
  const allowed = byName.length > 0 ? byName : policy === 'landlock' ? ['bubblewrap', 'landlock'] : ['bubblewrap'];
  const rung = sandbox.rungs.find(({ works, mechanism }) => works && allowed.includes(mechanism));
  if (rung === undefined) return refused;
  const least = policy === null ? 'none' : policy === 'landlock' ? 'landlock' : 'bubblewrap';
  if (ladder.indexOf(rung.mechanism) > ladder.indexOf(least)) return { refused: 'POLICY_REFUSED' };
  const reachesHosts = checks.find((check) => check.name === 'way to granted hosts')?.status === 'ok';
  if (name === 'networked' && rung.mechanism !== 'none' && !reachesHosts) return refused;
  return { mechanism: rung.mechanism, enforcement: rung.dimensions };
}

async function tryMachine(machine: Machine): Promise<{ doctor: Doctor; launches: readonly TriedLaunch[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'mmm-degraded-'));
  try {
    const inner = await words(machine, folder);
    const { descriptor, filter } = openFilter(machine, folder);
    const { NODE_TEST_CONTEXT: _context, NODE_V8_COVERAGE: _coverage, ...inherited } = process.env;
    const run = spawnSync(
      'unshare',
      ['--mount', '--propagation', 'private', '/bin/sh', '-c', stage(machine), 'sh', ...inner],
      {
        env: { ...inherited, NODE_V8_COVERAGE: undefined, HOME: folder, TMPDIR: folder },
        cwd: repository,
        encoding: 'utf8',
        timeout: 100_000,
        stdio: ['ignore', 'pipe', 'pipe', filter],
      },
    );
    if (descriptor !== undefined) closeSync(descriptor);
    assert.equal(run.status, 0, run.stderr);
    return JSON.parse(run.stdout) as { doctor: Doctor; launches: readonly TriedLaunch[] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Covers what the machine is to be without; in a mount namespace of its own, so that nobody else sees it. */
function stage({ without = [], proc }: Machine): string {
  const files = [...new Set(without.filter((file) => existsSync(file)).map((file) => realpathSync(file)))];
  return [
    'set -e',
    ...files.map((file) => `mount --bind /dev/null '${file}'`),
    ...(proc === 'read-only' ? ['mount --bind /proc /proc', 'mount -o remount,bind,ro /proc'] : []),
    'exec "$@"',
  ].join('\n');
}

/** The user, then what takes namespaces away, then the script. */
async function words({ as, namespaces }: Machine, folder: string): Promise<string[]> {
  const user = ['setpriv', `--reuid=${ordinaryUid}`, `--regid=${ordinaryUid}`, '--clear-groups', '--'];
  const helper = namespaces === 'refused' ? await nativeHelper(folder) : undefined;
  if (helper?.path === null) throw new Error(helper.reason);
  if (as === 'user') spawnSync('chown', [`${ordinaryUid}:${ordinaryUid}`, folder]);
  const filter = helper === undefined ? [] : [helper.path, '--seccomp', '3', '--'];
  const script = join(import.meta.dirname, '../support/try-machine.ts');
  const node = [process.execPath, '--import', 'tsx', '--conditions=mmm-source', script];
  return [...(as === 'user' ? user : []), ...filter, ...node];
}

/** A file with the filter that refuses to make namespaces and mounts. */
function openFilter({ namespaces }: Machine, folder: string): { descriptor?: number; filter: number | 'ignore' } {
  if (namespaces !== 'refused' || !hasSeccompFilter(process.arch)) return { filter: 'ignore' };
  const file = join(folder, 'filter');
  writeFileSync(file, seccompFilter(process.arch));
  const descriptor = openSync(file, 'r');
  return { descriptor, filter: descriptor };
}
