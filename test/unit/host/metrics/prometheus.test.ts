import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginFamilies } from '../../../../packages/host/src/metrics/families.ts';
import { latencyBoundsMs } from '../../../../packages/host/src/metrics/histogram.ts';
import { prometheusText } from '../../../../packages/host/src/metrics/prometheus.ts';
import { type CounterName, counterNames, type PluginStatistics } from '../../../../packages/host/src/store/store.ts';
import { parsePrometheus } from '../../../support/prometheus-parser.ts';

const zero: PluginStatistics = {
  ...{ executions: 0, failures: 0, lastAtMs: null, totalMs: 0, maxMs: 0, buckets: [], loads: 0, lastLoadMs: null },
  ...{ exits: {}, lastExits: [], restarts: {}, recorded: [] },
  counters: Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<CounterName, number>,
};
const idle = { state: 'stopped', startedAtMs: null, inFlight: 0, queued: 0, memoryBytes: null, cpuMs: null };

test('label values and help are escaped and come back as they were', () => {
  const awkward = 'a "b" \\ c\nd, e="f" } é';
  const help = 'One \\ two\nthree "four"';
  const text = prometheusText([
    { name: 'a', type: 'gauge', help, samples: [{ labels: { one: awkward, two: '\\n' }, value: 1.5 }] },
  ]);
  assert.equal(text.split('\n').length, 4);
  const family = parsePrometheus(text).get('a');
  assert.equal(family?.help, help);
  assert.deepEqual(family?.samples, [{ name: 'a', labels: { one: awkward, two: '\\n' }, value: 1.5 }]);
});

test('half a surrogate pair is replaced, so that the text is UTF-8', () => {
  const text = prometheusText([
    { name: 'a', type: 'gauge', help: '', samples: [{ labels: { x: '\ud800' }, value: 1 }] },
  ]);
  assert.equal(text, '# HELP a \n# TYPE a gauge\na{x="\ufffd"} 1\n');
});

test('buckets are cumulative, in seconds, and end with all of them', () => {
  const samples = [{ labels: { plugin: 'p' }, bounds: [0.1, 1], counts: [2, 0, 3], sum: 12 }];
  assert.equal(
    prometheusText([{ name: 'h', type: 'histogram', help: 'H', samples }]),
    [
      '# HELP h H',
      '# TYPE h histogram',
      'h_bucket{plugin="p",le="0.1"} 2',
      'h_bucket{plugin="p",le="1"} 2',
      'h_bucket{plugin="p",le="+Inf"} 5',
      'h_sum{plugin="p"} 12',
      'h_count{plugin="p"} 5',
      '',
    ].join('\n'),
  );
});

test('numbers are written as Go reads them, and a family without a sample is left out', () => {
  const values = [1e21, 1e-7, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, -0.5];
  const samples = values.map((value, index) => ({ labels: { index: String(index) }, value }));
  const families = parsePrometheus(
    prometheusText([
      { name: 'a', type: 'gauge', help: 'A', samples },
      { name: 'b_total', type: 'counter', help: 'B', samples: [] },
    ]),
  );
  assert.deepEqual([...families.keys()], ['a']);
  assert.deepEqual(
    families.get('a')?.samples.map(({ value }) => value),
    values,
  );
});

test('every figure of a plugin is there under its name', () => {
  const buckets = latencyBoundsMs.map((_, index) => (index === 5 ? 3 : 0));
  const statistics: PluginStatistics = {
    ...zero,
    ...{ executions: 5, failures: 2, totalMs: 2500, buckets: [...buckets, 2], loads: 3, lastLoadMs: 40 },
    ...{ exits: { signal: 2, memory: 1 }, restarts: { signal: 2 } },
    counters: { ...zero.counters, bytesIn: 10, bytesOut: 20, denials: 7, logLinesDropped: 4, answersDropped: 1 },
    recorded: [{ name: 'temperature', labels: { room: 'a"b' }, count: 2, sum: 41, last: 20.5 }],
  };
  const live = { state: 'running', startedAtMs: 1500, inFlight: 2, queued: 1, memoryBytes: 4096, cpuMs: 250 };
  const families = parsePrometheus(
    prometheusText(
      pluginFamilies([
        { id: 'acme/one', version: '1.2.3', live, statistics },
        { id: 'two', version: '0.1.0', live: idle, statistics: zero },
      ]),
    ),
  );
  const one = (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const found = [...families.values()]
      .flatMap(({ samples }) => samples)
      .filter((sample) => {
        const wanted = Object.entries({ plugin: 'acme/one', ...labels });
        return sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value);
      });
    assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}`);
    return found[0]?.value;
  };
  assert.equal(one('mmm_plugin_info', { version: '1.2.3' }), 1);
  assert.equal(one('mmm_plugin_state', { state: 'running' }), 1);
  assert.equal(one('mmm_plugin_up'), 1);
  assert.equal(one('mmm_plugin_start_time_seconds'), 1.5);
  assert.equal(one('mmm_plugin_calls_in_flight'), 2);
  assert.equal(one('mmm_plugin_calls_queued'), 1);
  assert.equal(one('mmm_plugin_memory_bytes'), 4096);
  assert.equal(one('mmm_plugin_cpu_seconds_total'), 0.25);
  assert.equal(one('mmm_plugin_calls_total', { outcome: 'ok' }), 3);
  assert.equal(one('mmm_plugin_calls_total', { outcome: 'failed' }), 2);
  assert.equal(one('mmm_plugin_call_duration_seconds_bucket', { le: '0.001' }), 3);
  assert.equal(one('mmm_plugin_call_duration_seconds_bucket', { le: '+Inf' }), 5);
  assert.equal(one('mmm_plugin_call_duration_seconds_count'), 5);
  assert.equal(one('mmm_plugin_call_duration_seconds_sum'), 2.5);
  assert.equal(one('mmm_plugin_starts_total'), 3);
  assert.equal(one('mmm_plugin_last_start_seconds'), 0.04);
  assert.equal(one('mmm_plugin_exits_total', { cause: 'memory' }), 1);
  assert.equal(one('mmm_plugin_restarts_total', { cause: 'signal' }), 2);
  assert.equal(one('mmm_plugin_received_bytes_total'), 10);
  assert.equal(one('mmm_plugin_sent_bytes_total'), 20);
  assert.equal(one('mmm_plugin_denials_total'), 7);
  assert.equal(one('mmm_plugin_dropped_total', { kind: 'log_lines' }), 4);
  assert.equal(one('mmm_plugin_dropped_total', { kind: 'answers' }), 1);
  assert.equal(one('mmm_plugin_recorded_sum', { metric: 'temperature', room: 'a"b' }), 41);
  assert.equal(one('mmm_plugin_recorded_count', { metric: 'temperature' }), 2);
  assert.equal(one('mmm_plugin_recorded_last', { metric: 'temperature' }), 20.5);
  // What nobody can say of a plugin that does not run is not said.
  const memory = families.get('mmm_plugin_memory_bytes')?.samples ?? [];
  assert.deepEqual(
    memory.map(({ labels }) => labels.plugin),
    ['acme/one'],
  );
});
