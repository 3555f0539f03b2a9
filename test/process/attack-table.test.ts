// Takes 10 s: every attack of docs/security.md that is a few words of Python or JavaScript, on every rung, and each
// with the same words where nothing stands in their way.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Rung } from '../support/attacks/row.ts';
import { attackTable } from '../support/attacks/table.ts';
import {
  type AttackWorld,
  openRung,
  openTargets,
  pythonIsThere,
  type Targets,
  withoutBubblewrap,
} from '../support/attacks/world.ts';
import { confined } from '../support/confined.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

const rows = attackTable.flatMap(([, attacks]) => attacks);
const withPython = pythonIsThere() ? {} : { skip: 'there is no /usr/bin/python3 here' };
const rungs: readonly { rung: Rung; options: { skip?: string } }[] = [
  { rung: 'bubblewrap', options: { ...withPython, ...confined } },
  { rung: 'landlock', options: { ...withPython, ...(await landlocked()) } },
  { rung: 'none', options: withPython },
];

async function landlocked(): Promise<{ skip?: string }> {
  const { mechanism, landlock } = await withoutBubblewrap();
  return mechanism === 'landlock' ? {} : { skip: `Landlock does not work here: ${landlock.reason}` };
}

const cleanups: (() => unknown)[] = [];
const t = { after: (run: () => unknown) => void cleanups.push(run) } as unknown as TestContext;
after(async () => {
  for (const run of cleanups.reverse()) await run();
});

describe('an attack', withPython, () => {
  let targets: Targets;
  before(async () => {
    targets = await openTargets(t);
  });
  for (const { rung, options } of rungs) {
    describe(`on the rung ${rung}`, options, () => {
      let world: AttackWorld;
      before(async () => {
        world = await openRung(t, rung, targets);
      });
      for (const { id, attack, probes = [], outcome } of rows) {
        for (const [index, probe] of probes.entries()) {
          const title = `${id}, ${index + 1}: a plugin that ${attack} (${outcome[rung]})`;
          const isElsewhere = probe.x64Only === true && process.arch !== 'x64';
          const skip = isElsewhere ? { skip: 'it is spelt for another processor' } : {};
          test(title, skip, () => world.meet(probe, outcome[rung]));
        }
      }
    });
  }
});

test('every attack has an id of its own and a proof, and the proofs that lie elsewhere are there', () => {
  const root = join(import.meta.dirname, '../..');
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  for (const { id, probes = [], elsewhere = [] } of rows) {
    assert.ok(probes.length + elsewhere.length > 0, `${id} has no proof`);
    for (const { file, says } of elsewhere) {
      assert.ok(existsSync(join(root, file)), `${id}: ${file} is not there`);
      assert.ok(says.length > 5, `${id}: ${file} is meant as a whole`);
      assert.ok(readFileSync(join(root, file), 'utf8').includes(says), `${id}: ${file} does not say "${says}"`);
    }
  }
});

test('an ordinary user attacks in vain in the same way', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
