/** The media type of the text format, for whoever serves it. */
export const prometheusMediaType = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Cumulated by `histogramText`: `counts` has one more than `bounds`, for what is over the last one. */
export interface HistogramSample {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface SummarySample {
  readonly labels: Labels;
  readonly count: number;
  readonly sum: number;
}

/** One metric family. Names of counters end in `_total`; units are seconds and bytes. */
export type Family = { readonly name: string; readonly help: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly samples: readonly HistogramSample[] }
  | { readonly type: 'summary'; readonly samples: readonly SummarySample[] }
);

/** The text format 0.0.4 of Prometheus. Families without a sample are left out. Ends with a line break. */
export function prometheusText(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(familyText)
    .join('');
}

function familyText(family: Family): string {
  const { name, help, type } = family;
  const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`];
  switch (family.type) {
    case 'counter':
    case 'gauge':
      lines.push(...family.samples.map(({ labels, value }) => line(name, labels, value)));
      break;
    case 'histogram':
      lines.push(...family.samples.flatMap((sample) => histogramLines(name, sample)));
      break;
    case 'summary':
      for (const { labels, sum, count } of family.samples) {
        lines.push(line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count));
      }
  }
  return `${lines.join('\n')}\n`;
}

function histogramLines(name: string, { labels, bounds, counts, sum }: HistogramSample): readonly string[] {
  let count = 0;
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, index) => {
    count += counts[index] ?? 0;
    return line(`${name}_bucket`, { ...labels, le: number(bound) }, count);
  });
  return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count)];
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(value)}`;
}

/** As Go reads it. */
function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  // Half a surrogate pair has no UTF-8; the format is UTF-8 or it is not read at all.
  return escapeHelp(Buffer.from(text).toString()).replaceAll('"', '\\"');
}
