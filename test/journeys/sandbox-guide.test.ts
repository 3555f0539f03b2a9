import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { snippets } from '../support/documents.ts';
import { fixtureHost } from '../support/fixture-host.ts';

test('what the guide to confinement tells to type does what it says', confined, async (t) => {
  const { host, home } = await fixtureHost(t, ['echo']);
  await host.close();
  const commands = snippets('docs/sandbox.md', 'sh').flatMap((block) => block.trim().split('\n'));
  assert.equal(commands.length, 5);
  for (const line of commands) {
    const [program, ...words] = line.replace(/\s+#.*$/, '').split(' ');
    assert.equal(program, 'mmm');
    const { code, stdout, stderr } = await mmm({ home }, ...words);
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
    if (line.startsWith('mmm doctor')) assert.match(stdout, /rung bubblewrap.*works; enforced: filesystem, network/);
    if (line.startsWith('mmm audit')) assert.equal(stdout.match(/sandbox_none/g)?.length, 1);
  }
  const launches = await mmm({ home }, 'audit', 'list', '--action', 'launch', '--json');
  const { entries } = launches.json() as { entries: { detail: { mechanism: string } }[] };
  // Named for Landlock it still runs by the best rung there is.
  assert.deepEqual(
    entries.map(({ detail }) => detail.mechanism),
    ['bubblewrap', 'none'],
  );
});

test('a name that is not repeated weakens nothing', async (t) => {
  const { host, home } = await fixtureHost(t, ['echo']);
  await host.close();
  for (const option of ['--landlock', '--unconfined']) {
    const { code, stderr } = await mmm({ home }, 'plugin', 'exec', 'echo', 'run', option, 'other');
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`${option} names "other", but the plugin called is "echo"`));
  }
});
