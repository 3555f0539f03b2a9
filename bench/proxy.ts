import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Plugin } from '@mmm/host';
import { interleave, median, medianDifference, quantile } from './measure.ts';
import { type PipedChild, start } from './programs.ts';
import type { Bench, Outcome, Result } from './result.ts';
import { openHost } from './stage.ts';

/** Requests of which a round takes the median: one alone says more about the machine than about the way. */
const requestsPerRound = 20;
const overheadMaxMs = 2.5;

interface Way {
  readonly name: string;
  readonly way: 'request' | 'connection';
  /** Runs in the same program. Returns milliseconds. */
  ask(text: string): Promise<string>;
}

/** What a request takes longer that leaves a sandbox through forwarder and proxy, against the same program without. */
export async function proxied(bench: Bench): Promise<Outcome> {
  const server = start('http-server.cjs');
  const direct = start('requests.cjs');
  const port = Number(await nextLine(server));
  const network = `127.0.0.1:${port}`;
  const host = await openHost(bench.folder, true, { program: 'requests.cjs', network });
  try {
    const plugin = await host.plugin('echo');
    const askPlugin = async (text: string): Promise<string> => await output(plugin, text);
    const askDirect = async (text: string): Promise<string> => await outputOf(direct, text);
    const ways: Way[] = (['request', 'connection'] as const).flatMap((way) => {
      const what = way === 'request' ? 'HTTP request' : 'new connection and HTTP request in it';
      return [
        { name: `${what}, direct`, way, ask: askDirect },
        { name: `${what}, from the sandbox`, way, ask: askPlugin },
      ];
    });
    const measure = async ({ way, ask }: Way): Promise<number> =>
      Number(await ask(JSON.stringify({ way, port, times: requestsPerRound })));
    // The first ones load code on both sides.
    for (const way of ways) await measure(way);
    bench.say(`requests, ${bench.rounds} rounds of ${requestsPerRound}`);
    return compare(ways, await interleave(ways, bench.rounds, measure));
  } finally {
    await host.close();
    for (const child of [server, direct]) child.stdin.end();
  }
}

function compare(ways: readonly Way[], values: readonly (readonly number[])[]): Outcome {
  const overheadOf = (index: number): number => medianDifference(values[index] ?? [], values[index - 1] ?? []);
  const results = ways.map(({ name }, index): Result => {
    const own = values[index] ?? [];
    const row = { name, p50_ms: round(median(own)), p99_ms: round(quantile(own, 0.99)) };
    return index % 2 === 0 ? row : { ...row, overhead_ms: round(overheadOf(index)) };
  });
  const goals = [1, 3].map((index) => {
    const text = `${ways[index]?.name}: at most ${overheadMaxMs} ms longer than direct`;
    return { text, value: overheadOf(index), max: overheadMaxMs };
  });
  return { results, goals };
}

async function output(plugin: Plugin, text: string): Promise<string> {
  return (await plugin.execute<{ text: string }>('run', { text })).output.text;
}

async function outputOf(child: PipedChild, text: string): Promise<string> {
  const answer = nextLine(child);
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'execute', params: { input: { text } } })}\n`);
  return (JSON.parse(await answer) as { result: { output: { text: string } } }).result.output.text;
}

async function nextLine({ stdout }: PipedChild): Promise<string> {
  const lines = createInterface({ input: stdout });
  const [line] = await once(lines, 'line');
  lines.close();
  return String(line);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
