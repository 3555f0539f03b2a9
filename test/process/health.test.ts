import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHost, type Host } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { parsePrometheus } from '../support/prometheus-parser.ts';

interface Request {
  readonly method: string;
  readonly params: unknown;
}

async function ask(host: Host, ...requests: readonly Request[]): Promise<readonly unknown[]> {
  const plugin = await host.plugin('asks_the_host');
  return (await plugin.execute<readonly unknown[]>('run', { requests })).output;
}

const metric = (name: string, value: number, labels: Readonly<Record<string, string>> = {}): Request => {
  return { method: 'record_metric', params: { name, value, labels } };
};

/** The value of one series; undefined when there is none. */
async function metricOf(host: Host, name: string, labels: Readonly<Record<string, string>>) {
  const samples = [...parsePrometheus(await host.metricsText()).values()].flatMap((family) => family.samples);
  const found = samples.filter((sample) => {
    return sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
  });
  assert.ok(found.length <= 1, `${name} is there ${found.length} times`);
  return found[0]?.value;
}

test('what a plugin records is shown, by name and labels, and survives the host', confined, async (t) => {
  const { host, home } = await fixtureHost(t, ['asks-the-host']);
  const answers = await ask(
    host,
    metric('jobs', 2, { queue: 'a' }),
    metric('jobs', 3, { queue: 'a' }),
    metric('jobs', 7),
  );
  assert.deepEqual(answers, [{}, {}, {}]);
  const { recorded } = await host.statistics('asks_the_host');
  assert.deepEqual(recorded, [
    { name: 'jobs', labels: { queue: 'a' }, count: 2, sum: 5, last: 3 },
    { name: 'jobs', labels: {}, count: 1, sum: 7, last: 7 },
  ]);
  const labels = { plugin: 'asks_the_host', metric: 'jobs', queue: 'a' };
  assert.equal(await metricOf(host, 'mmm_plugin_recorded_last', labels), 3);
  assert.equal(await metricOf(host, 'mmm_plugin_recorded_count', labels), 2);
  await host.close();
  await using next = await createHost({ home });
  assert.deepEqual((await next.statistics('asks_the_host')).recorded, recorded);
});

test('a metric that cannot be shown is refused, and so is one series too many', confined, async (t) => {
  const { host } = await fixtureHost(t, ['asks-the-host']);
  const invalid = [
    metric('with space', 1),
    metric('ok', 1, { plugin: 'another' }),
    metric('ok', 1, { __name__: 'x' }),
    metric('ok', 1, { 'a-b': 'x' }),
    metric('ok', 1, { a: 'x'.repeat(129) }),
    metric('ok', 1e300),
    metric('ok', 1, Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`l${index}`, 'x']))),
  ];
  const codes = (answers: readonly unknown[]) => answers.map((answer) => (answer as { code?: number }).code);
  assert.deepEqual(
    codes(await ask(host, ...invalid)),
    invalid.map(() => -32602),
  );
  const many = Array.from({ length: 101 }, (_, index) => metric('many', index, { index: String(index) }));
  assert.deepEqual(codes(await ask(host, ...many)), [...Array.from({ length: 100 }, () => undefined), -32060]);
  const { recorded, counters } = await host.statistics('asks_the_host');
  assert.equal(recorded.length, 100);
  assert.equal(counters.metricsRefused, 1);
});

test('bytes, refusals, starts, ends and restarts are counted, and what runs now is measured', confined, async (t) => {
  const { host } = await fixtureHost(t, ['asks-the-host']);
  const plugin = await host.plugin('asks_the_host');
  const [refused] = await ask(host, { method: 'fetch', params: { url: 'https://example.com/' } });
  assert.equal((refused as { code: number }).code, -32051);
  const { counters } = await host.statistics('asks_the_host');
  assert.equal(counters.denials, 1);
  // initialize, execute and the request; initialize, initialized, execute and the answer.
  assert.deepEqual([counters.messagesIn, counters.messagesOut], [3, 4]);
  assert.ok(counters.bytesIn > 100 && counters.bytesOut > 300, JSON.stringify(counters));
  const [health] = await host.health();
  assert.equal(health?.state, 'running');
  assert.deepEqual(health?.pids, [plugin.pid]);
  assert.ok((health?.memoryBytes ?? 0) > 20_000_000, 'a Node process has more than that');
  assert.ok((health?.cpuMs ?? 0) > 0);
  const gone = new AbortController();
  const changes = plugin.changes(gone.signal);
  process.kill(plugin.pid ?? 0, 'SIGKILL');
  // The dying process may still answer what it had read already.
  for await (const { kind } of changes) if (kind !== 'running') break;
  gone.abort();
  await ask(host);
  const { restarts, exits, loads } = await host.statistics('asks_the_host');
  assert.deepEqual([restarts, exits, loads], [{ signal: 1 }, { signal: 1 }, 2]);
  const labels = { plugin: 'asks_the_host' };
  assert.equal(await metricOf(host, 'mmm_plugin_restarts_total', { ...labels, cause: 'signal' }), 1);
  assert.equal(await metricOf(host, 'mmm_plugin_denials_total', labels), 1);
  assert.equal(await metricOf(host, 'mmm_plugin_up', labels), 1);
  await plugin.stop();
  assert.equal(await metricOf(host, 'mmm_plugin_up', labels), 0);
  assert.equal(await metricOf(host, 'mmm_plugin_memory_bytes', labels), undefined);
});

test('calls in flight and calls that wait are told apart', confined, async (t) => {
  const more = '[limits]\nconcurrency = 1';
  const { host } = await fixtureHost(t, [{ behaviour: 'never-answers', more }]);
  const plugin = await host.plugin('never_answers');
  let working: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    working = resolve;
  });
  const calls = [plugin.execute('run', {}, { onProgress: () => working() }), plugin.execute('run', {})];
  await started;
  const [health] = await host.health();
  assert.deepEqual([health?.inFlight, health?.queued], [1, 1]);
  const settled = Promise.allSettled(calls);
  await host.close();
  await settled;
});

test('a diagnosis names how a plugin ended, what it printed and what to do', confined, async (t) => {
  const { host } = await fixtureHost(t, [
    'crashes-on-execute',
    { behaviour: 'echo', name: 'lonely', more: '[[dependencies]]\nplugin = "missing"\nversion = "^1.0.0"' },
  ]);
  const plugin = await host.plugin('crashes_on_execute');
  await assert.rejects(plugin.execute('run', { code: 3 }));
  await assert.rejects(plugin.execute('run', { signal: 'SIGSEGV' }));
  const sick = await host.diagnose('crashes_on_execute');
  assert.deepEqual(
    sick.exits.map(({ kind, detail, stderrTail, next }) => [kind, detail, stderrTail, next.split('.')[0]]),
    [
      ['signal', 'was ended by SIGSEGV', 'about to die', 'It crashed in machine code'],
      [
        'exit',
        'exited with code 3',
        'about to exit',
        'Read the lines it printed; `mmm plugin logs crashes_on_execute` has more of them',
      ],
    ],
  );
  assert.ok(sick.ok, 'nothing keeps anybody from calling it again');
  const lonely = await host.diagnose('lonely');
  assert.equal(lonely.ok, false);
  assert.match(JSON.stringify(lonely.checks), /\\"lonely\\" needs \\"missing\\" \^1\.0\.0, and there is no plugin/);
  const [summary] = (await host.list()).filter(({ id }) => id === 'lonely');
  assert.deepEqual(summary?.unmet, ['missing']);
  assert.equal((await host.info('lonely')).dependencies[0]?.status, 'missing');
  const { checks } = await host.doctor();
  assert.ok(checks.some(({ name, status }) => name === 'plugin lonely' && status === 'problem'));
});
