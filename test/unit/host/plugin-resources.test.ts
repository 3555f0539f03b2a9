import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PluginResources } from '../../../packages/host/src/plugin-resources.ts';
import { limitsSection } from '../../../packages/host/src/settings/limits.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A folder of control groups that makes groups, or none, and keeps what was done. */
function world(joins: boolean) {
  const done: string[] = [];
  let kills = 0;
  const audited: string[] = [];
  const resources = new PluginResources({
    clock: new FakeClock(),
    audit: {
      append: ({ action, plugin }: { action: string; plugin: string }) => void audited.push(`${action} ${plugin}`),
    } as never,
    settings: () => limitsSection.parse({ control_group: '/given', memory_mb: 100, temporary_mb: 10 }),
    openGroups: (parent) => {
      done.push(`open ${parent}`);
      return {
        make: (limitBytes) => {
          done.push(`make ${limitBytes / 1024 / 1024}`);
          return {
            join: (pid) => {
              done.push(`join ${pid}`);
              return joins;
            },
            oomKills: () => kills,
            end: () => void done.push('end'),
          };
        },
      };
    },
  });
  const spec = { id: 'hog', manifest: { limits: {} } } as never;
  const watch = () => resources.watch(spec, { pid: 17, helpers: 1, isBusy: () => true, exceeded: () => undefined });
  const kill = (): void => {
    kills += 1;
  };
  return { done, audited, watch, kill, resources };
}
const killed = { code: null, signal: 'SIGKILL', stderrTail: '' };

test('each launch has a control group of its own, with room for its /tmp, and what ended in it is told', () => {
  const { done, audited, watch, kill } = world(true);
  const first = watch();
  assert.deepEqual(done, ['open /given', 'make 136', 'join 17']);
  assert.equal(first.ended(killed), undefined);
  assert.deepEqual(done.slice(3), ['end']);
  const second = watch();
  kill();
  const breach = second.ended(killed);
  assert.equal(breach?.kind, 'memory');
  assert.match(breach?.detail ?? '', /control group, which is for the 100 MB .*memory_mb in \[limits\.plugins\.hog\]/);
  assert.deepEqual(audited, ['limit hog']);
  assert.equal(done.filter((what) => what.startsWith('open')).length, 1);
});

test('a group that the process cannot be moved to is not counted on', () => {
  const { done, watch, kill } = world(false);
  const watched = watch();
  assert.deepEqual(done, ['open /given', 'make 136', 'join 17', 'end']);
  kill();
  assert.equal(watched.ended(killed), undefined);
});

test('whether the named control group works is told without trying it beside what runs in it', () => {
  const { done, watch, resources } = world(true);
  watch();
  assert.deepEqual(resources.controlGroup, { folder: '/given', works: true });
  assert.deepEqual(done, ['open /given', 'make 136', 'join 17']);
});
