import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PermissionPolicy } from '../../../../packages/host/src/permit/policy.ts';
import { policySection } from '../../../../packages/host/src/settings/policy.ts';

type Least = 'process' | 'landlock' | undefined;

/** A policy of sources that ask for nothing but this. */
function policyOf(...sources: Least[]): PermissionPolicy {
  return new PermissionPolicy(
    sources.map((sandbox, index) => {
      const section = policySection.parse(sandbox === undefined ? {} : { sandbox });
      return { where: `source ${index}`, section };
    }),
  );
}

const enforcement = {
  filesystem: 'enforced',
  network: 'enforced',
  environment: 'enforced',
  commands: 'enforced',
  processes: 'partial',
  ipc: 'enforced',
  memory: 'partial',
} as const;
const starts = {
  bubblewrap: { level: 'process', mechanism: 'bubblewrap', enforcement },
  landlock: { level: 'process', mechanism: 'landlock', enforcement },
  none: { level: 'none', mechanism: 'none', enforcement },
} as const;

test('a start below the least confinement is refused, whoever named the plugin', () => {
  const refused = (policy: PermissionPolicy): string[] =>
    Object.entries(starts)
      .filter(([, start]) => policy.refusesConfinement(start) !== undefined)
      .map(([name]) => name);
  assert.deepEqual(refused(policyOf(undefined)), []);
  assert.deepEqual(refused(policyOf('landlock')), ['none']);
  assert.deepEqual(refused(policyOf('process')), ['landlock', 'none']);
  assert.deepEqual(refused(policyOf('landlock', 'process')), ['landlock', 'none']);
});

test('Landlock will do for every plugin only where a source says so and none asks for more', () => {
  assert.equal(policyOf().acceptsLandlock, false);
  assert.equal(policyOf(undefined).acceptsLandlock, false);
  assert.equal(policyOf('landlock').acceptsLandlock, true);
  assert.equal(policyOf(undefined, 'landlock').acceptsLandlock, true);
  assert.equal(policyOf('landlock', 'process').acceptsLandlock, false);
  assert.equal(policyOf('process', 'landlock').acceptsLandlock, false);
});

test('the refusal names the setting, the least confinement and where it stands', () => {
  const refusal = policyOf(undefined, 'process').refusesConfinement(starts.landlock);
  assert.deepEqual([refusal?.where, refusal?.setting], ['source 1', 'sandbox']);
  assert.match(refusal?.reason ?? '', /every plugin is confined at level "process"/);
});

test('what must be wholly enforced is not, where only Landlock is', () => {
  const section = policySection.parse({ sandbox: 'landlock', require: ['filesystem', 'processes'] });
  const refusal = new PermissionPolicy([{ where: 'here', section }]).refusesConfinement(starts.landlock);
  assert.match(refusal?.reason ?? '', /processes would be partial, not enforced/);
});
