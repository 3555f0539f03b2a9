import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileMapping, type MappedEvent } from '../../../../packages/host/src/mappings/mapping.ts';
import { listMappings, type MappingSections } from '../../../../packages/host/src/settings/mappings.ts';
import { settingsFile } from '../../../../packages/host/src/settings/settings.ts';

function compile(trigger: unknown, triggers?: unknown) {
  const sections: MappingSections = settingsFile.parse({
    ...(triggers === undefined ? {} : { triggers }),
    global_mappings: [{ name: 'one', trigger, action: { plugin: 'echo' } }],
  });
  const [listed] = listMappings(sections);
  assert.ok(listed !== undefined);
  return compileMapping(listed, sections.triggers ?? {}, () => 'only');
}

const note = (data: unknown, more: Partial<MappedEvent> = {}): MappedEvent => {
  return { type: 'midi.note', data, source: 'midi', instance: null, ...more };
};

test('a device trigger is a type of event and filters on its data', () => {
  const mapping = compile({ type: 'Note', note: 1, velocity_min: 60, velocity_max: 100, channel: [1, 2] });
  assert.equal(mapping.wantsType('midi.note'), true);
  assert.equal(mapping.wantsType('midi.cc'), false);
  assert.equal(mapping.matches(note({ note: 1, velocity: 60, channel: 2 })), true);
  for (const data of [
    { note: 2, velocity: 60, channel: 1 },
    { note: 1, velocity: 59, channel: 1 },
    { note: 1, velocity: 101, channel: 1 },
    { note: 1, velocity: 60, channel: 3 },
    { note: '1', velocity: 60, channel: 1 },
    { note: 1, channel: 1 },
    null,
  ]) {
    assert.equal(mapping.matches(note(data)), false, JSON.stringify(data));
  }
});

test('a chord is the same notes in any order', () => {
  const mapping = compile({ type: 'NoteChord', notes: [1, 5] });
  const chord = (notes: unknown): MappedEvent => note({ notes }, { type: 'midi.note_chord' });
  assert.equal(mapping.matches(chord([5, 1])), true);
  assert.equal(mapping.matches(chord([5, 1, 7])), false);
});

test('fields of any event are compared, by value, list, bounds and globs', () => {
  const where = { 'file.name': { glob: '*.md' }, size: { min: 1 }, kind: ['a', 'b'], state: { not: 'old' } };
  const mapping = compile({ type: 'file.*', where });
  const event = (data: unknown): MappedEvent => ({ type: 'file.x', data, source: 'app:x', instance: null });
  const right = { file: { name: 'x.md' }, size: 1, kind: 'b', state: 'new' };
  assert.equal(mapping.matches(event(right)), true);
  for (const wrong of [
    { size: 0 },
    { kind: 'c' },
    { state: 'old' },
    { state: undefined },
    { file: { name: 'x.txt' } },
  ]) {
    assert.equal(mapping.matches(event({ ...right, ...wrong })), false, JSON.stringify(wrong));
  }
  assert.equal(mapping.matches(event({ ...right, file: undefined, 'file.name': 'y.md' })), true);
});

test('with a plugin only events of its own instance count', () => {
  const mapping = compile({ plugin: 'timer', config: { b: 1, a: 2 } });
  const same = compile({ plugin: 'timer', config: { a: 2, b: 1 } });
  const other = compile({ plugin: 'timer', config: { a: 3, b: 1 } });
  const instance = mapping.instance?.instance ?? '';
  assert.match(instance, /^only-[0-9a-f]{12}$/);
  assert.equal(same.instance?.instance, instance);
  assert.notEqual(other.instance?.instance, instance);
  const tick = { type: 'timer.tick', data: null, source: 'timer', instance };
  assert.equal(mapping.matches(tick), true);
  assert.equal(mapping.matches({ ...tick, source: 'other' }), false);
  assert.equal(mapping.matches({ ...tick, instance: 'else' }), false);
});

test('a named trigger is one instance for all who name it', () => {
  const triggers = { nightly: { plugin: 'timer', trigger: 'cron', config: { expression: '0 3 * * *' } } };
  const { instance } = compile({ instance: 'nightly' }, triggers);
  assert.deepEqual(instance, { ...triggers.nightly, instance: 'nightly' });
});

test('sources are globs', () => {
  const mapping = compile({ type: 'x.y', source: 'app:*' });
  const event = { type: 'x.y', data: null, source: 'app:cli', instance: null };
  assert.equal(mapping.matches(event), true);
  assert.equal(mapping.matches({ ...event, source: 'other' }), false);
});

test('a sample event is one that the mapping is for', () => {
  for (const trigger of [
    { type: 'Note', note: 1, velocity_min: 60 },
    { type: 'file.*', where: { name: { glob: '*.md' }, kind: ['a', 'b'], size: { max: 7 } } },
    { plugin: 'timer', config: {} },
  ]) {
    const mapping = compile(trigger);
    assert.equal(mapping.matches(mapping.sample()), true, JSON.stringify(trigger));
  }
});
