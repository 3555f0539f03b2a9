import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mods: Record<string, [string, string]> = {
  host: ['host', 'unconfinedHost'],
  rpc: ['rpc', 'rpc'],
  ndjson: ['ndjson', 'ndjson'],
  pipe: ['pipe', 'pipe'],
  mcp: ['mcp', 'mcp'],
};
const [which = 'host', size = '100', count = '100000', flight = '64'] = process.argv.slice(2);
const names = which.split(',');
const folder = mkdtempSync(join(tmpdir(), 'mmm-hd-'));
const text = 'x'.repeat(+size);
for (const name of names) {
  const [file, exported] = mods[name] as [string, string];
  const contender = (await import(`/work/main/bench/contenders/${file}.ts`))[exported];
  const echo = await contender.open(folder);
  const run = async (n: number, k: number) => {
    let left = n;
    await Promise.all(
      Array.from({ length: k }, async () => {
        while (left-- > 0) await echo.call(text);
      }),
    );
  };
  await run(Math.min(3000, +count), +flight);
  const best: number[] = [];
  const cpu: number[] = [];
  for (let r = 0; r < 5; r++) {
    const u = process.cpuUsage();
    const t = process.hrtime.bigint();
    await run(+count / 5, +flight);
    best.push(Number(process.hrtime.bigint() - t) / 1000 / (+count / 5));
    const d = process.cpuUsage(u);
    cpu.push((d.user + d.system) / (+count / 5));
  }
  console.log(
    name,
    size,
    flight,
    'min',
    Math.min(...best).toFixed(2),
    'med',
    best.sort((a, b) => a - b)[2]!.toFixed(2),
    'cpu',
    Math.min(...cpu).toFixed(2),
    'us/call',
  );
  await echo.close();
}
