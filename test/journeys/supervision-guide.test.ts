import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { supervisionSection } from '../../packages/host/src/settings/supervision.ts';
import { supervisionPolicyOf } from '../../packages/host/src/supervise/policy.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { followReadme, python, runProgram, snippets } from '../support/documents.ts';
import { manifestOf } from '../support/fake-session.ts';

const document = 'docs/supervision.md';

test('the guide to crashes works as it is written there', { ...confined, ...python }, async (t) => {
  const { home } = await followReadme(t);
  writeFileSync(join(home, 'config.toml'), snippets(document, 'toml')[0] ?? '', { mode: 0o600 });
  const outputs: string[] = [];
  for (const line of snippets(document, 'sh').flatMap((block) => block.split('\n'))) {
    const words = (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'|'$/g, ''));
    if (words.length === 0) continue;
    const { code, stdout, stderr } = await mmm({ home }, ...words.slice(1));
    assert.equal(code, 0, `${line}\n${stderr}`);
    outputs.push(stdout);
  }
  const restarted = outputs.pop() ?? '';
  assert.match(
    restarted,
    /^Started hello 1\.0\.0 in \d+ ms, with pid \d+\. It ran in this command alone: no daemon runs\.\n$/,
  );
  const [reset = '', info = '', ...calls] = outputs;
  assert.match(reset, /^There was nothing to forget: hello is not quarantined/);
  assert.match(info, /state +stopped/);
  assert.deepEqual(calls, ['Hello, Ada!\n', 'Hello, Ada!\n']);
  assert.equal(runProgram(t, snippets(document, 'ts')[0] ?? '', home), 'Hello, Ada!\n');
});

test('the table of settings has every key, with the number that is in force', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', document), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_]+)` \| `?([\w.]+)`? \|/gm)].map(([, key = '', value = '']) => [
    key,
    value,
  ]);
  const { plugins, ...numbers } = supervisionSection.shape;
  assert.ok(plugins !== undefined);
  const { restart, liveness, idleStopMs, standby } = supervisionPolicyOf(manifestOf([]));
  const inForce: Record<keyof typeof numbers, string | number> = {
    policy: restart.kind,
    crashes_max: restart.crashesMax,
    window_s: restart.windowMs / 1000,
    backoff_ms: restart.backoffMinMs,
    backoff_max_s: restart.backoffMaxMs / 1000,
    quarantine_s: restart.quarantineMs / 1000,
    stable_s: restart.stableAfterMs / 1000,
    ping_after_s: liveness.pingAfterMs / 1000,
    degraded_after_s: liveness.degradedAfterMs / 1000,
    unresponsive_after_s: liveness.unresponsiveAfterMs / 1000,
    idle_stop_s: idleStopMs / 1000,
    standby,
  };
  assert.deepEqual(
    Object.fromEntries(rows),
    Object.fromEntries(Object.entries(inForce).map(([k, v]) => [k, String(v)])),
  );
  assert.deepEqual(Object.keys(inForce), Object.keys(numbers));
});
