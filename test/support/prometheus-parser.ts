import assert from 'node:assert/strict';

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['_sum', '_count'],
};

/**
 * Reads the text format 0.0.4 of Prometheus as its specification has it, and fails at whatever a strict reader would
 * refuse: families that are not in one piece, series that come twice, buckets that are not cumulative.
 */
export function parsePrometheus(text: string): ReadonlyMap<string, ParsedFamily> {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line has no end');
  const families = new Map<string, ParsedFamily>();
  const series = new Set<string>();
  let current: { name: string; type: string; help: string; samples: ParsedSample[] } | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    const [, help, type] = /^# (?:(HELP)|(TYPE)) /.exec(line) ?? [];
    if (help !== undefined) {
      const [, name = '', words = ''] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
      assert.match(name, metricName);
      assert.ok(!families.has(name), `${name} comes twice`);
      current = { name, type: '', help: withoutEscapes(words, /\\[\\n]/g), samples: [] };
      families.set(name, current);
    } else if (type !== undefined) {
      const [, name, kind = ''] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? [];
      assert.ok(current !== undefined && name === current.name && current.type === '', `out of place: ${line}`);
      current.type = kind;
    } else {
      const sample = parseSample(line);
      const isOfFamily = suffixes[current?.type ?? '']?.some((suffix) => sample.name === `${current?.name}${suffix}`);
      assert.ok(current !== undefined && isOfFamily === true, `out of place: ${line}`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted()]);
      assert.ok(!series.has(key), `comes twice: ${line}`);
      series.add(key);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function parseSample(line: string): ParsedSample {
  const [, name = '', , pairs = '', number = ''] = /^([^\s{]+)(\{(.*)\})? (\S+)$/.exec(line) ?? [];
  assert.match(name, metricName, line);
  const labels: Record<string, string> = {};
  let rest = pairs;
  while (rest !== '') {
    const match = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,(?=.)|$)/.exec(rest);
    assert.ok(match !== null, `labels cannot be read: ${line}`);
    const [whole, label = '', value = ''] = match;
    assert.ok(!Object.hasOwn(labels, label), `the label ${label} comes twice: ${line}`);
    labels[label] = withoutEscapes(value, /\\["\\n]/g);
    rest = rest.slice(whole.length);
  }
  assert.match(number, /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/, line);
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

function withoutEscapes(text: string, escapes: RegExp): string {
  return text.replaceAll(escapes, (pair) => (pair === '\\n' ? '\n' : pair.slice(1)));
}

function checkFamily({ name, type, samples }: ParsedFamily): void {
  assert.notEqual(type, '', `${name} has no type`);
  assert.ok(samples.length > 0, `${name} has no sample`);
  if (type === 'counter') {
    assert.match(name, /_total$/);
    for (const { value } of samples) assert.ok(value >= 0, `${name} is below zero`);
  }
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const counts = samples.filter((sample) => sample.name === `${name}_count`);
  assert.ok(counts.length > 0, `${name} has no count`);
  for (const count of counts) {
    const key = JSON.stringify(count.labels);
    const buckets = samples.flatMap((sample) => {
      const { le, ...labels } = sample.labels;
      if (sample.name !== `${name}_bucket` || JSON.stringify(labels) !== key) return [];
      return [{ le: Number((le ?? '').replace('Inf', 'Infinity')), value: sample.value }];
    });
    for (const [index, bucket] of buckets.entries()) {
      const before = buckets[index - 1] ?? { le: Number.NEGATIVE_INFINITY, value: 0 };
      assert.ok(bucket.le > before.le && bucket.value >= before.value, `${name} is not cumulative at ${bucket.le}`);
    }
    assert.deepEqual(buckets.at(-1), { le: Number.POSITIVE_INFINITY, value: count.value }, `${name} does not add up`);
  }
}
