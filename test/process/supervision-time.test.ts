import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type ExitReason, MmmError } from '@mmm/protocol';
import { supervisionFor, supervisionSection } from '../../packages/host/src/settings/supervision.ts';
import { supervisionPolicyOf } from '../../packages/host/src/supervise/policy.ts';
import { Supervisor } from '../../packages/host/src/supervise/supervisor.ts';
import { confined } from '../support/confined.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { FakeSession, manifestOf } from '../support/fake-session.ts';
import { type Chapter, chapters, type End, type Moment, type World } from '../support/supervision-story.ts';

interface Told {
  readonly name: string;
  readonly outcomes: readonly string[];
  readonly moments: readonly Moment[];
}

const speed = 100;
/** What a busy machine may make a moment late, in the time of the story. */
const lateMs = 100_000;
/** A change is seen a moment after it happened; the one before it may have been seen later than that. */
const earlyMs = 5_000;

const reasons = (end: End): ExitReason => {
  if ('signal' in end) return { kind: 'signal', signal: end.signal, stderrTail: '' };
  return end.code === 0 ? { kind: 'clean', stderrTail: '' } : { kind: 'exit', code: end.code, stderrTail: '' };
};

/** A chapter on a clock that stands still between two events, without a process. */
async function tellAtOnce(chapter: Chapter): Promise<Told> {
  const clock = new FakeClock();
  const moments: Moment[] = [];
  const user = supervisionFor('p', supervisionSection.parse({ policy: chapter.policy, ...chapter.settings }));
  let current = new FakeSession();
  const supervisor = new Supervisor({
    plugin: 'p',
    policy: supervisionPolicyOf(manifestOf([]), user),
    clock,
    random: () => 0.5,
    launch: () => {
      current = new FakeSession();
      return Promise.resolve(current);
    },
    onChange: ({ kind }) => moments.push({ state: kind, atMs: clock.monotonic() }),
  });
  const session = async (): Promise<string> => {
    let outcome = '';
    supervisor.session().then(
      () => {
        outcome = 'answered';
      },
      (error: unknown) => {
        outcome = error instanceof MmmError ? error.code : String(error);
      },
    );
    for (await settled(); outcome === ''; await settled()) await clock.advance(clock.nextMs ?? 0);
    supervisor.used();
    return outcome;
  };
  const world: World = {
    call: session,
    end: async (end) => {
      const outcome = await session();
      if (outcome !== 'answered') return outcome;
      current.end(reasons(end));
      await settled();
      return 'PLUGIN_EXITED';
    },
    pass: (ms) => clock.advance(ms),
    reaches: async (kind) => {
      while (supervisor.state.kind !== kind) await clock.advance(clock.nextMs ?? 0);
    },
    reset: () => supervisor.reset(),
  };
  const outcomes = await chapter.tell(world);
  return { name: chapter.name, outcomes, moments };
}

/** Every chapter with real processes, in a process for which time runs `speed` times as fast. */
async function tellFast(): Promise<readonly Told[]> {
  const program = join(import.meta.dirname, '..', 'fixtures', 'programs', 'supervision-story.ts');
  const node = [process.execPath, '--import', 'tsx', '--conditions=mmm-source', program];
  const { stdout } = await promisify(execFile)('faketime', ['-f', `+0 x${speed}`, ...node], { timeout: 300_000 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);
}

function hasFaketime(): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'faketime')));
}

/** How long each state lasted; of the last one nobody knows. */
function durations({ moments }: Told): readonly { readonly state: string; readonly ms: number }[] {
  return moments.slice(0, -1).map(({ state, atMs }, index) => ({ state, ms: (moments[index + 1]?.atMs ?? 0) - atMs }));
}

const skip = confined.skip ?? (hasFaketime() ? undefined : 'faketime is not installed (Debian: apt install faketime)');

test('each policy meets each end as its table says', async () => {
  const seen: Record<string, string> = {};
  for (const chapter of chapters.slice(0, 9)) {
    const { outcomes, moments } = await tellAtOnce(chapter);
    assert.deepEqual(outcomes, ['answered', 'PLUGIN_EXITED', 'answered']);
    seen[chapter.name] = moments.map(({ state }) => state).join(' ');
  }
  const backoff = 'starting running backoff starting running';
  assert.deepEqual(seen, {
    'always, clean': backoff,
    'always, exit': backoff,
    'always, signal': backoff,
    'on_failure, clean': 'starting running stopped starting running',
    'on_failure, exit': backoff,
    'on_failure, signal': backoff,
    'never, clean': 'starting running stopped starting running',
    'never, exit': 'starting running failed starting running',
    'never, signal': 'starting running failed starting running',
  });
});

test(
  `real processes, a hundred times as fast, go through the same states as the injected clock`,
  skip === undefined ? {} : { skip },
  async () => {
    const fast = await tellFast();
    for (const [index, chapter] of chapters.entries()) {
      const [expected, told] = [await tellAtOnce(chapter), fast[index]];
      assert.ok(told !== undefined, `${chapter.name} was not told`);
      assert.equal(told.name, expected.name);
      assert.deepEqual(told.outcomes, expected.outcomes, chapter.name);
      const [theirs, ours] = [durations(told), durations(expected)];
      assert.deepEqual(
        theirs.map(({ state }) => state),
        ours.map(({ state }) => state),
        chapter.name,
      );
      for (const [step, { state, ms }] of theirs.entries()) {
        const wantedMs = ours[step]?.ms ?? 0;
        // What takes no time on the injected clock, such as a start, takes what it takes.
        if (wantedMs === 0) continue;
        const text = `${chapter.name}, ${step + 1}. ${state}: ${ms} ms, not ${wantedMs}`;
        assert.ok(ms > wantedMs - earlyMs && ms < wantedMs + lateMs, text);
      }
    }
  },
);
