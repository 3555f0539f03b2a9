import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothingEnforced } from '../../../packages/host/src/sandbox/none.ts';
import { probeSandbox, type SandboxProbe } from '../../../packages/host/src/sandbox/probe.ts';
import { sandboxChecks } from '../../../packages/host/src/sandbox-checks.ts';

const options = { uid: 1000, home: '/nowhere', nodePath: '/opt/node' };
const enforced = { ...nothingEnforced, filesystem: 'enforced', network: 'enforced' } as const;

/** A machine on which only Landlock works. */
async function landlockOnly(abi: number): Promise<SandboxProbe> {
  const nowhere = await probeSandbox({ ...options, platform: 'darwin' });
  const reason = 'bubblewrap is not installed.';
  return {
    ...nowhere,
    bubblewrap: { ...nowhere.bubblewrap, reason },
    landlock: { abi, works: true, reason: null },
    mechanism: 'landlock',
    dimensions: { ...enforced, processes: abi >= 6 ? 'partial' : 'declared' },
    rungs: [
      { mechanism: 'bubblewrap', works: false, reason, dimensions: nothingEnforced },
      { mechanism: 'landlock', works: true, reason: null, dimensions: enforced },
      { mechanism: 'none', works: true, reason: null, dimensions: nothingEnforced },
    ],
    advice: 'apt-get install bubblewrap',
  };
}

const find = (checks: ReturnType<typeof sandboxChecks>, name: string) => checks.find((check) => check.name === name);

for (const [platform, name] of [
  ['darwin', 'macOS'],
  ['win32', 'Windows'],
  ['freebsd', 'freebsd'],
] as const) {
  test(`on ${name} nothing is confined, and this is said instead of tried`, async () => {
    const probe = await probeSandbox({ ...options, platform });
    assert.equal(probe.mechanism, 'none');
    assert.deepEqual(probe.dimensions, nothingEnforced);
    const confined = probe.rungs.filter(({ mechanism }) => mechanism !== 'none');
    assert.ok(confined.length === 2 && confined.every(({ works }) => !works));
    const check = find(sandboxChecks({ probe, acceptsLandlock: true }), 'sandbox');
    assert.equal(check?.status, 'problem');
    assert.match(check.message, new RegExp(`no sandbox works, so plugins are refused: .*this is ${name}\\.`));
  });
}

test('where only Landlock works plugins are refused until somebody says that it will do', async () => {
  const probe = await landlockOnly(6);
  const refused = find(sandboxChecks({ probe, acceptsLandlock: false }), 'sandbox');
  assert.equal(refused?.status, 'problem');
  assert.match(refused.message, /refused, unless one is named by --landlock or by --unconfined: bubblewrap is not/);
  assert.equal(refused.fix, 'apt-get install bubblewrap');
  const accepted = find(sandboxChecks({ probe, acceptsLandlock: true }), 'sandbox');
  assert.equal(accepted?.status, 'warning');
  assert.match(accepted.message, /confined by Landlock, as the policy says/);
  const hosts = find(sandboxChecks({ probe, acceptsLandlock: true }), 'way to granted hosts');
  assert.match(hosts?.message ?? '', /plugins with network grants are refused/);
});

test('each rung is named with what it would enforce, or why it does not work', async () => {
  const checks = sandboxChecks({ probe: await landlockOnly(6), acceptsLandlock: false });
  assert.equal(find(checks, 'rung bubblewrap')?.message, 'does not work: bubblewrap is not installed.');
  assert.match(find(checks, 'rung Landlock')?.message ?? '', /^works; enforced: filesystem, network, environment;/);
  assert.match(
    find(checks, 'rung no confinement')?.message ?? '',
    /^works; enforced: environment; declared: filesystem/,
  );
});

test('what Landlock of an older kernel leaves open is said', async () => {
  const weak = async (abi: number) =>
    find(sandboxChecks({ probe: await landlockOnly(abi), acceptsLandlock: true }), 'confinement of processes')?.message;
  assert.match((await weak(5)) ?? '', /^declared: it can signal every process of yours/);
  assert.match((await weak(6)) ?? '', /^partial: it is among the processes of the host/);
});
