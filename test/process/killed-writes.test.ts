import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertKept, runUntil } from '../support/acknowledged.ts';
import { bundledProgram } from '../support/bundled-program.ts';
import { fixtureHost } from '../support/fixture-host.ts';

/** `MMM_KILLS=200` for the long run. */
const kills = Number(process.env.MMM_KILLS ?? 20);

test(`killed ${kills} times while it writes, a host loses nothing that it acknowledged`, async (t) => {
  const program = await bundledProgram(t, 'writes-until-killed.ts');
  const more = '[[permissions.state]]\nscope = "global"\nreason = "keeps"\noptional = true\n';
  const { host, home } = await fixtureHost(t, [{ behaviour: 'asks-the-host', more, grant: [] }]);
  await host.close();
  let acknowledged = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    // A moment that nobody chose: the writes that are under way then are at any step.
    const after = 1 + Math.floor(Math.random() * 300);
    const run = await runUntil([process.execPath, program, home, 'asks_the_host'], after);
    const round = `kill ${kill} after ${after} writes`;
    assert.equal(run.signal, 'SIGKILL', `${round}: ${run.errors}${JSON.stringify(run.lines.at(-1))}`);
    acknowledged += await assertKept(home, 'asks_the_host', run, round);
  }
  assert.ok(acknowledged >= kills, `only ${acknowledged} writes were acknowledged`);
});
