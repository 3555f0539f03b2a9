import { performance } from 'node:perf_hooks';
import type { Contender, Echo } from './contender.ts';
import { fork } from './contenders/fork.ts';
import { confinedHost, unconfinedHost } from './contenders/host.ts';
import { mcp } from './contenders/mcp.ts';
import { ndjson } from './contenders/ndjson.ts';
import { pipe } from './contenders/pipe.ts';
import { rpc } from './contenders/rpc.ts';
import { vscodeJsonrpc } from './contenders/vscode-jsonrpc.ts';
import { workerpool } from './contenders/workerpool.ts';
import { interleave, median, medianRatio, quantile } from './measure.ts';
import type { Bench, Goal, Outcome, Result } from './result.ts';

const contenders: readonly Contender[] = [
  pipe,
  ndjson,
  vscodeJsonrpc,
  mcp,
  fork,
  workerpool,
  rpc,
  unconfinedHost,
  confinedHost,
];
const inFlight = 64;
/** Of each size, how many calls one round makes one after the other, and at 64 in flight. */
const sizes = [
  { bytes: 100, sequential: 200, parallel: 1500 },
  { bytes: 10_000, sequential: 100, parallel: 400 },
  { bytes: 1_000_000, sequential: 5, parallel: 64 },
] as const;

interface Lane {
  readonly contender: Contender;
  readonly echo: Echo;
  /** Every single round trip of all rounds, in microseconds. */
  readonly samples: number[];
}

/** What one size came to: of each contender the values by round. */
interface Measured {
  readonly bytes: number;
  readonly roundTripsUs: readonly (readonly number[])[];
  readonly parallelUs: readonly (readonly number[])[];
}

/** Round trips one after the other, and calls a second at 64 in flight, of every contender in turn. */
export async function roundTrip(bench: Bench): Promise<Outcome> {
  const lanes: { contender: Contender; echo: Echo }[] = [];
  try {
    for (const contender of contenders) {
      bench.say(`starting ${contender.name}`);
      lanes.push({ contender, echo: await contender.open(bench.folder) });
    }
    const results: Result[] = [];
    const measured: Measured[] = [];
    for (const size of sizes) {
      bench.say(`round trips of ${size.bytes} bytes, ${bench.rounds} rounds`);
      const row = lanes.map((lane): Lane => ({ ...lane, samples: [] }));
      measured.push(await measureSize(row, size, bench.rounds));
      results.push(...rows(row, measured.at(-1)));
    }
    return { results, goals: measured.flatMap(goalsOf) };
  } finally {
    for (const { echo } of lanes) await echo.close();
  }
}

async function measureSize(lanes: readonly Lane[], size: (typeof sizes)[number], rounds: number): Promise<Measured> {
  const text = 'x'.repeat(size.bytes);
  for (const { echo } of lanes) {
    await sequential(echo, text, size.sequential, []);
    await parallel(echo, text, size.parallel);
  }
  const roundTripsUs = await interleave(lanes, rounds, async ({ echo, samples }) => {
    const own: number[] = [];
    await sequential(echo, text, size.sequential, own);
    samples.push(...own);
    return median(own);
  });
  const parallelUs = await interleave(lanes, rounds, ({ echo }) => parallel(echo, text, size.parallel));
  return { bytes: size.bytes, roundTripsUs, parallelUs };
}

async function sequential(echo: Echo, text: string, count: number, samples: number[]): Promise<void> {
  for (let made = 0; made < count; made++) {
    const startedMs = performance.now();
    check(await echo.call(text), text);
    samples.push((performance.now() - startedMs) * 1000);
  }
}

/** Microseconds a call with 64 callers, each of which makes its next call when it has its answer. */
async function parallel(echo: Echo, text: string, count: number): Promise<number> {
  let left = count;
  const caller = async () => {
    while (left-- > 0) check(await echo.call(text), text);
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, caller));
  return ((performance.now() - startedMs) * 1000) / count;
}

function check(length: number, text: string): void {
  if (length !== text.length) throw new Error(`${text.length} bytes were sent and ${length} came back.`);
}

function rows(lanes: readonly Lane[], measured: Measured | undefined): Result[] {
  if (measured === undefined) return [];
  const { bytes, roundTripsUs, parallelUs } = measured;
  return lanes.map(({ contender, samples }, index) => ({
    name: contender.name,
    size: bytes,
    p50_us: round(quantile(samples, 0.5)),
    p99_us: round(quantile(samples, 0.99)),
    calls_per_s: Math.round(1_000_000 / median(parallelUs[index] ?? [])),
    ratio_to_pipe: round(medianRatio(roundTripsUs[index] ?? [], roundTripsUs[0] ?? [])),
  }));
}

function goalsOf({ bytes, roundTripsUs, parallelUs }: Measured): Goal[] {
  const of = (values: Measured['parallelUs'], { name }: Contender) =>
    values[contenders.findIndex((contender) => contender.name === name)] ?? [];
  if (bytes === 100) {
    return [unconfinedHost, confinedHost].flatMap((host) => [
      {
        text: `${host.name}, round trip of 100 bytes: at most 1.8 × the bare pipe`,
        value: medianRatio(of(roundTripsUs, host), of(roundTripsUs, pipe)),
        max: 1.8,
      },
      {
        text: `${host.name}, 100 bytes, ${inFlight} in flight: at most a third of the MCP SDK's time a call`,
        value: medianRatio(of(parallelUs, host), of(parallelUs, mcp)),
        max: 1 / 3,
      },
    ]);
  }
  return [roundTripsUs, parallelUs].map((values, index) => {
    const way = index === 0 ? 'round trip' : `${inFlight} in flight`;
    return {
      text: `${unconfinedHost.name}, ${way} of ${bytes} bytes: at most 1.3 × hand-written ndjson`,
      value: medianRatio(of(values, unconfinedHost), of(values, ndjson)),
      max: 1.3,
    };
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
