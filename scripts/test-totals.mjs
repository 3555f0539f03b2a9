// A test reporter that keeps only the totals, in the words of node's TAP output: `# tests 12`, `# pass 12` …
import { appendFileSync } from 'node:fs';
import { env } from 'node:process';

const names = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'];

// Written at once and not yielded: --test-force-exit ends the process before a yielded line reaches its file.
// biome-ignore lint/style/noDefaultExport: node's --test-reporter reads the default export.
// biome-ignore lint/correctness/useYield: see above.
export default async function* totals(source) {
  for await (const { type, data } of source) {
    const isTotal = type === 'test:diagnostic' && data.nesting === 0 && names.includes(data.message.split(' ')[0]);
    if (isTotal) appendFileSync(env.MMM_TEST_TOTALS, `# ${data.message}\n`);
  }
}
