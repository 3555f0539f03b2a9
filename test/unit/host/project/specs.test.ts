import assert from 'node:assert/strict';
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readYaml } from '../../../../packages/host/src/discover/yaml-source.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { SpecFault } from '../../../../packages/host/src/project/spec-file.ts';
import { Specs } from '../../../../packages/host/src/project/specs.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

function project(t: Pick<TestContext, 'after'>) {
  const folder = tempFolder(t);
  mkdirSync(join(folder, 'specs', 'area'), { recursive: true });
  const specs = new Specs(folder, (text) => {
    const read = readYaml(text);
    return 'faults' in read ? undefined : read.value;
  });
  return { folder, specs, file: (name: string) => join(folder, 'specs', name) };
}

const fault = (pattern: RegExp) => (error: unknown) => error instanceof SpecFault && pattern.test(error.message);

test('a specification is read with its front matter, its title and the rest of it', (t) => {
  const { specs, file } = project(t);
  writeFileSync(file('area/login.md'), '---\r\nstatus: draft\r\nowners: [ada]\r\n---\r\n# Log in \r\nBödy');
  assert.deepEqual(specs.get('area/login'), {
    name: 'area/login',
    status: 'draft',
    title: 'Log in',
    metadata: { status: 'draft', owners: ['ada'] },
    body: '# Log in \r\nBödy',
  });
  assert.deepEqual(specs.get('area/login.md'), specs.get('area/login'));
  writeFileSync(file('plain.md'), 'text');
  assert.deepEqual(specs.get('plain'), { name: 'plain', status: null, title: null, metadata: {}, body: 'text' });
  writeFileSync(file('broken.md'), '---\n: [\n---\n');
  assert.match(specs.get('broken').problem ?? '', /not a YAML mapping/);
});

test('a status is changed in place: mode, other bytes and other files stay', (t) => {
  const { specs, file, folder } = project(t);
  writeFileSync(file('a.md'), Buffer.from('\uFEFF---\r\nstatus: draft # x\r\n---\r\nb\u00f6dy', 'utf8'), {
    mode: 0o640,
  });
  specs.setStatus('a', 'done');
  assert.equal(readFileSync(file('a.md'), 'utf8'), '\uFEFF---\r\nstatus: done # x\r\n---\r\nb\u00f6dy');
  assert.equal(lstatSync(file('a.md')).mode & 0o777, 0o640);
  const { ino } = lstatSync(file('a.md'));
  specs.setStatus('a', 'done');
  assert.equal(lstatSync(file('a.md')).ino, ino, 'it was written although nothing changed');
  assert.deepEqual(readdirSync(join(folder, 'specs')).sort(), ['a.md', 'area']);
});

test('no name leads out of the folder, and no link is followed', (t) => {
  const { specs, file, folder } = project(t);
  const text = '---\nstatus: secret\n---\n';
  writeFileSync(join(folder, 'outside.md'), text);
  for (const name of [
    '../outside',
    'area/../../outside',
    '/etc/passwd',
    '',
    '.',
    '.hidden',
    'a\\b',
    'a\0b',
    'area//x',
  ]) {
    assert.throws(() => specs.get(name), fault(/not the name/), name);
  }
  symlinkSync(join(folder, 'outside.md'), file('link.md'));
  assert.throws(() => specs.get('link'), fault(/through a link/));
  assert.throws(() => specs.setStatus('link', 'x'), fault(/through a link/));
  symlinkSync(folder, file('up'));
  assert.throws(() => specs.setStatus('up/outside', 'x'), fault(/through a link/));
  linkSync(join(folder, 'outside.md'), file('second.md'));
  assert.throws(() => specs.setStatus('second', 'x'), fault(/second name/));
  assert.equal(readFileSync(join(folder, 'outside.md'), 'utf8'), text);
  assert.throws(() => specs.get('missing'), fault(/does not exist/));
  mkdirSync(file('folder.md'));
  assert.throws(() => specs.get('folder'), fault(/not a file/));
  writeFileSync(file('large.md'), Buffer.alloc(hostLimits.specBytes + 1));
  assert.throws(() => specs.get('large'), fault(/larger than/));
});

test('a change that another reader of YAML would not see as one of the status alone is not made', (t) => {
  const { specs, file } = project(t);
  const texts = ['---\n- a\n- b\n---\n', '---\n"x: \nstatus: a\n---\n', '---\nstatus: a\n\u0001: [\n---\n'];
  for (const text of texts) {
    writeFileSync(file('odd.md'), text);
    assert.throws(() => specs.setStatus('odd', 'done'), SpecFault, text);
    assert.equal(readFileSync(file('odd.md'), 'utf8'), text);
  }
});
