import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CliResult, mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Place {
  readonly directory: string;
  /** Of the author. */
  readonly home: string;
  /** The folder of the plugin `echo`. */
  readonly folder: string;
  /** Runs a command as the author. */
  author(...words: string[]): Promise<CliResult>;
  /** Runs a command as somebody else, in another home. */
  user(...words: string[]): Promise<CliResult>;
  run(home: string, ...words: string[]): Promise<CliResult>;
}

function place(t: TestContext): Place {
  const directory = tempFolder(t);
  const home = join(directory, 'author');
  const run = (of: string, ...words: string[]) => mmm({ home: of, cwd: directory }, ...words);
  return {
    directory,
    home,
    folder: copyFixture({ behaviour: 'echo' }, directory),
    author: (...words) => run(home, ...words),
    user: (...words) => run(join(directory, 'user'), ...words),
    run,
  };
}

async function ok(result: Promise<CliResult>): Promise<CliResult> {
  const done = await result;
  assert.equal(done.code, 0, done.stderr);
  return done;
}

test(
  'a plugin travels as one file: packed, inspected, trusted, installed and called elsewhere',
  confined,
  async (t) => {
    const { author, user, directory } = place(t);
    const { public_key: publicKey } = (await ok(author('key', 'new', '--json'))).json();
    await ok(author('plugin', 'sign', 'echo'));
    assert.match((await ok(author('plugin', 'package', 'echo'))).stdout, /Packed echo 1\.0\.0/);
    const archive = 'echo-1.0.0.mmmp';
    const looked = await ok(user('plugin', 'inspect', archive));
    assert.match(looked.stdout, /Not trusted here: .*not in the trust store/);
    assert.match(looked.stdout, /a key you do not know/);
    assert.match(looked.stdout, /0444 +\d+ {2}plugin\.toml/);
    assert.equal(existsSync(join(directory, 'user')), false, 'looking makes no home');
    const refused = await user('plugin', 'install', archive, '--json');
    assert.equal(refused.code, 4);
    assert.deepEqual(readdirSync(join(directory, 'user/store')), [], 'nothing is left of what was refused');
    await ok(user('key', 'trust', String(publicKey), '--name', 'author', '--scope', 'echo'));
    assert.match((await ok(user('plugin', 'verify', archive))).stdout, /is intact.*signed by "author"/);
    assert.equal((await ok(user('plugin', 'inspect', archive, '--json'))).json().problem, null);
    await ok(user('plugin', 'install', archive));
    assert.equal((await ok(user('plugin', 'exec', 'echo', 'run', '--input', '7', '--json'))).json().output, 7);
    const elsewhere = mmm({ home: join(directory, 'user'), cwd: join(directory, 'user') }, 'plugin', 'inspect', 'echo');
    assert.match((await ok(elsewhere)).stdout, /installed {2}echo/);
  },
);

test('packing gives the same bytes whoever does it, and leaves the folder as it was', async (t) => {
  const { author, folder, directory } = place(t);
  await ok(author('key', 'new'));
  await ok(author('plugin', 'sign', 'echo'));
  const names = readdirSync(folder);
  const before = process.umask(0o077);
  try {
    await ok(author('plugin', 'package', 'echo', '--output', 'one.mmmp'));
  } finally {
    process.umask(before);
  }
  mkdirSync(join(directory, 'out'));
  await ok(author('plugin', 'package', 'echo', '--output', 'out'));
  assert.deepEqual(readdirSync(folder), names);
  const [one, two] = ['one.mmmp', 'out/echo-1.0.0.mmmp'].map((file) => readFileSync(join(directory, file)));
  assert.ok(two !== undefined && one?.equals(two));
});

test('packing in the plugin folder itself, again and again, never packs the archive', async (t) => {
  const { directory, folder, home } = place(t);
  const here = (...words: string[]) => mmm({ home, cwd: folder }, ...words);
  await ok(here('key', 'new'));
  await ok(here('plugin', 'sign', '.'));
  const first = (await ok(here('plugin', 'package', '--json'))).json();
  const second = (await ok(here('plugin', 'package', '--json'))).json();
  assert.equal(second.archive_sha256, first.archive_sha256);
  await ok(mmm({ home, cwd: directory }, 'plugin', 'verify', './echo'));
});

test('histories and installed packages are left out, and what an author may miss is named', async (t) => {
  const { author, user, folder, directory } = place(t);
  const { public_key: publicKey } = (await ok(author('key', 'new', '--json'))).json();
  for (const file of [
    '.git/config',
    'node_modules/x/index.js',
    'lib/node_modules/y.js',
    'notes.txt~',
    'lib/real.txt',
  ]) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), 'x');
  }
  const signed = await ok(author('plugin', 'sign', 'echo'));
  assert.match(signed.stderr, /^Left out: lib\/node_modules, node_modules\. A plugin brings its code/);
  const packed = await ok(author('plugin', 'package', 'echo', '--json'));
  assert.deepEqual(packed.json().left_out, ['.git', 'lib/node_modules', 'node_modules', 'notes.txt~']);
  const listed = spawnSync('tar', ['-tzf', 'echo-1.0.0.mmmp'], { cwd: directory, encoding: 'utf8' }).stdout;
  assert.deepEqual(listed.trim().split('\n'), [
    '.mmm/index.json',
    '.mmm/signatures.json',
    'lib/real.txt',
    'main.cjs',
    'plugin.toml',
  ]);
  await ok(user('key', 'trust', String(publicKey), '--name', 'a', '--scope', '*'));
  await ok(user('plugin', 'verify', './echo'));
  await ok(user('plugin', 'install', './echo'));
  writeFileSync(join(folder, 'lib/more.txt'), 'x');
  assert.equal((await user('plugin', 'verify', './echo')).code, 4);
});

test('several people sign one plugin, in its folder and in its archive, and each of them is enough', async (t) => {
  const { author, run, directory } = place(t);
  const keys = new Map<string, string>();
  for (const name of ['first', 'second', 'third']) {
    keys.set(name, String((await ok(author('key', 'new', '--name', name, '--json'))).json().public_key));
  }
  await ok(author('plugin', 'sign', 'echo', '--key', 'first'));
  await ok(author('plugin', 'sign', 'echo', '--key', 'second'));
  await ok(author('plugin', 'package', 'echo', '--output', 'x.mmmp'));
  await ok(author('plugin', 'sign', 'x.mmmp', '--key', 'third'));
  for (const [name, publicKey] of keys) {
    const home = join(directory, name);
    await ok(run(home, 'key', 'trust', publicKey, '--name', name, '--scope', '*'));
    assert.match((await ok(run(home, 'plugin', 'verify', 'x.mmmp'))).stdout, new RegExp(`signed by "${name}"`));
  }
  const { signatures } = (await ok(run(join(directory, 'second'), 'plugin', 'inspect', 'x.mmmp', '--json'))).json() as {
    signatures: { key_name: string | null; problem: string | null }[];
  };
  assert.deepEqual(
    signatures.map(({ key_name, problem }) => [key_name, problem]),
    [
      [null, 'SIGNATURE_UNTRUSTED'],
      ['second', null],
      [null, 'SIGNATURE_UNTRUSTED'],
    ],
  );
});

test('an unsigned archive says so, and is installed only by its name', confined, async (t) => {
  const { author, user } = place(t);
  assert.match((await ok(author('plugin', 'package', 'echo'))).stderr, /It is not signed/);
  const refused = await user('plugin', 'install', 'echo-1.0.0.mmmp', '--json');
  assert.equal(refused.code, 4);
  assert.equal((refused.json().error as { name: string }).name, 'SIGNATURE_MISSING');
  assert.equal((await user('plugin', 'install', 'echo-1.0.0.mmmp', '--allow-unsigned', 'other')).code, 2);
  await ok(user('plugin', 'install', 'echo-1.0.0.mmmp', '--allow-unsigned', 'echo'));
  assert.equal((await ok(user('plugin', 'exec', 'echo', 'run', '--input', '3', '--json'))).json().output, 3);
});

test('what is no archive, or no longer one, is refused with its name and without a trace', async (t) => {
  const { author, directory } = place(t);
  await ok(author('key', 'new'));
  await ok(author('plugin', 'sign', 'echo'));
  await ok(author('plugin', 'package', 'echo', '--output', 'x.mmmp'));
  const bytes = readFileSync(join(directory, 'x.mmmp'));
  writeFileSync(join(directory, 'cut.mmmp'), bytes.subarray(0, -40));
  writeFileSync(join(directory, 'text.mmmp'), 'no archive');
  for (const command of ['install', 'verify', 'inspect', 'sign']) {
    assert.equal((await author('plugin', command, 'none.mmmp')).code, 5, command);
    for (const file of ['cut.mmmp', 'text.mmmp']) {
      const result = await author('plugin', command, file, '--json');
      const error = result.json().error as { name: string; message: string };
      assert.equal(result.code, 4, `${command} ${file}: ${result.stdout}`);
      assert.equal(error.name, 'BUNDLE_INVALID');
      assert.ok(error.message.includes(join(directory, file)), error.message);
      assert.doesNotMatch(error.message, /staging/);
    }
  }
  assert.deepEqual(readdirSync(join(directory, 'author/store')), []);
  assert.match((await author('plugin', 'install', 'none.zip')).stderr, /no folder "none\.zip".*\.mmmp archive/);
});

/** The shell commands of a document between two lines, as a reader copies them. */
function documented(file: string, from: string): string {
  const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  const block = text.slice(text.indexOf(from));
  return /```sh\n([\s\S]*?)```/.exec(block)?.[1] ?? '';
}

const openssl = spawnSync('openssl', ['version']).status === 0 ? {} : { skip: 'openssl is not installed' };

test("a plugin signed with openssl as the author's guide says is installed", { ...confined, ...openssl }, async (t) => {
  const { author, user, directory, folder } = place(t);
  await ok(author('plugin', 'package', 'echo', '--output', 'unsigned.mmmp'));
  const commands = documented('docs/writing-a-plugin.md', '### Signing with a key that mmm does not hold');
  assert.match(commands, /openssl pkeyutl -sign/);
  const script = commands
    .split('\n')
    .filter((line) => !line.startsWith('mmm '))
    .join('\n');
  const ran = spawnSync('sh', ['-eu', '-c', script], { cwd: directory, encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  assert.deepEqual(readdirSync(join(folder, '.mmm')).sort(), ['index.json', 'signatures.json']);
  await ok(author('plugin', 'package', 'echo', '--output', 'signed.mmmp'));
  const publicKey = ran.stdout.trim().split('\n').at(-1) ?? '';
  assert.equal((await user('plugin', 'install', 'signed.mmmp')).code, 4);
  await ok(user('key', 'trust', publicKey, '--name', 'openssl', '--scope', 'echo'));
  await ok(user('plugin', 'install', 'signed.mmmp'));
  assert.equal((await ok(user('plugin', 'exec', 'echo', 'run', '--input', '1', '--json'))).json().output, 1);
});

test('openssl verifies what mmm signed', openssl, async (t) => {
  const { author, folder, directory } = place(t);
  const { public_key: publicKey } = (await ok(author('key', 'new', '--json'))).json();
  await ok(author('plugin', 'sign', 'echo'));
  const index = readFileSync(join(folder, '.mmm/index.json'));
  const { payloadType, signatures } = JSON.parse(readFileSync(join(folder, '.mmm/signatures.json'), 'utf8')) as {
    payloadType: string;
    signatures: { sig: string }[];
  };
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${index.length} `;
  const write = (name: string, bytes: Uint8Array): void => writeFileSync(join(directory, name), bytes);
  write('pae', Buffer.concat([Buffer.from(head), index]));
  write('sig', Buffer.from(signatures[0]?.sig ?? '', 'base64'));
  write(
    'key.der',
    Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(String(publicKey), 'base64')]),
  );
  const words = 'pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in pae -sigfile sig'.split(' ');
  assert.match(spawnSync('openssl', words, { cwd: directory, encoding: 'utf8' }).stdout, /Verified Successfully/);
  write('pae', Buffer.concat([Buffer.from(head), index, Buffer.from(' ')]));
  assert.doesNotMatch(
    spawnSync('openssl', words, { cwd: directory, encoding: 'utf8' }).stdout,
    /Verified Successfully/,
  );
});

interface MinisignPair {
  readonly secret: KeyObject;
  readonly raw: Buffer;
  readonly id: Buffer;
  /** The line of the `.pub` file. */
  readonly line: string;
}

function minisignPair(): MinisignPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(12);
  const id = Buffer.from('0123456789abcdef', 'hex');
  return { secret: privateKey, raw, id, line: Buffer.concat([Buffer.from('Ed'), id, raw]).toString('base64') };
}

/** What `minisign -S` writes, and with `older` what `minisign -S -l` does. */
function minisigned({ secret, id }: MinisignPair, bytes: Buffer, comment: string, older = false): string {
  const message = older ? bytes : createHash('blake2b512').update(bytes).digest();
  const signature = sign(null, message, secret);
  const global = sign(null, Buffer.concat([signature, Buffer.from(comment)]), secret);
  return [
    'untrusted comment: signature from minisign secret key',
    Buffer.concat([Buffer.from(older ? 'Ed' : 'ED'), id, signature]).toString('base64'),
    `trusted comment: ${comment}`,
    global.toString('base64'),
    '',
  ].join('\n');
}

test('a minisign signature over an archive counts with the key that is named, or with a trusted one', async (t) => {
  const { author, directory } = place(t);
  await ok(author('plugin', 'package', 'echo', '--output', 'x.mmmp'));
  const archive = readFileSync(join(directory, 'x.mmmp'));
  const [pair, other] = [minisignPair(), minisignPair()];
  const write = (text: string): void => writeFileSync(join(directory, 'x.mmmp.minisig'), text);
  writeFileSync(join(directory, 'minisign.pub'), `untrusted comment: minisign public key\n${pair.line}\n`);
  const verify = (...more: string[]) => author('plugin', 'verify', 'x.mmmp', '--minisign', 'x.mmmp.minisig', ...more);
  for (const older of [false, true]) {
    write(minisigned(pair, archive, 'release 1\u001b[2J', older));
    const checked = await ok(verify('--key', '@minisign.pub'));
    assert.match(checked.stdout, /signed with minisign by the key you gave \(0123456789abcdef\)/);
    assert.match(checked.stdout, /trusted comment: release 1\\u\{1b\}/);
    await ok(verify('--key', pair.line));
    assert.equal((await verify('--key', other.line)).code, 4);
  }
  assert.match((await verify()).stderr, /by nobody you trust/);
  await ok(author('key', 'trust', pair.raw.toString('base64'), '--name', 'mini', '--scope', 'elsewhere'));
  assert.equal((await verify()).code, 4, 'trusted for another plugin only');
  await ok(author('key', 'trust', pair.raw.toString('base64'), '--name', 'mini', '--scope', 'echo', '--replace'));
  assert.match((await ok(verify())).stdout, /your trusted key "mini"/);
  write(minisigned(pair, archive, 'release 1').replace('release 1', 'release 2'));
  assert.equal((await verify()).code, 4);
  write(minisigned(pair, Buffer.concat([archive, Buffer.alloc(1)]), 'release 1'));
  assert.equal((await verify('--key', pair.line)).code, 4);
  write('nothing\n');
  assert.match((await verify()).stderr, /four lines/);
  assert.equal((await author('plugin', 'verify', './echo', '--minisign', 'x.mmmp.minisig')).code, 2);
  assert.equal((await author('plugin', 'verify', 'x.mmmp', '--minisign', 'gone')).code, 2);
  assert.equal((await author('plugin', 'verify', 'x.mmmp', '--key', pair.line)).code, 2);
});
