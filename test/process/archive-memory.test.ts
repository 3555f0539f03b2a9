// Takes 8 s: hundreds of megabytes are packed and unpacked, and the memory of a process of its own is looked at.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { test } from 'node:test';
import { createDeflateRaw } from 'node:zlib';
import { indexFolder, packArchive } from '@mmm/bundle';
import { gzipHeader } from '../../packages/bundle/src/archive/gzip-frame.ts';
import { tarHeader } from '../../packages/bundle/src/archive/tar-header.ts';
import { identity } from '../support/plugin-folder.ts';
import { tempFolder } from '../support/temp-folder.ts';

const mb = 1024 * 1024;
/** The runtime itself with the sources it compiles takes most of it. */
const peakMaxMb = 150;
const onLinux = existsSync('/proc/self/status') ? {} : { skip: 'there is no /proc here' };

/** An archive that begins as it must and goes on with zeros, packed a thousandfold. */
async function zeros(file: string, start: readonly Uint8Array[], megabytes: number): Promise<string> {
  const output = createWriteStream(file);
  output.write(gzipHeader);
  const deflate = createDeflateRaw({ level: 9 });
  deflate.pipe(output);
  for (const bytes of [...start, ...Array<Uint8Array>(megabytes).fill(Buffer.alloc(mb))]) {
    if (!deflate.write(bytes)) await once(deflate, 'drain');
  }
  deflate.end();
  await finished(output);
  return file;
}

/** Writes a plugin of these files and lists them; `pack` makes an archive of them as well. */
async function plugin(folder: string, content: readonly Uint8Array[], pack: boolean): Promise<Uint8Array> {
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.toml'), '');
  for (const [at, bytes] of content.entries()) writeFileSync(join(folder, `part-${at}`), bytes);
  const { index, bytes, sha256 } = await indexFolder(folder, identity);
  if (pack) await packArchive(folder, { index, indexBytes: bytes, indexSha256: sha256 }, `${folder}.mmmp`);
  return bytes;
}

test(
  'no archive makes its reader take much memory, neither a large one nor one that never ends',
  onLinux,
  async (t) => {
    const folder = tempFolder(t);
    const noise = Array.from({ length: 6 }, () => randomFillSync(Buffer.alloc(8 * mb)));
    await plugin(join(folder, 'large'), noise, true);
    const index = await plugin(join(folder, 'listed'), [Buffer.alloc(64 * mb)], false);
    const header = (path: string, size: number) => tarHeader({ path, size, mode: '0444' });
    const padded = Buffer.concat([index, Buffer.alloc((512 - (index.length % 512)) % 512)]);
    const files = [
      join(folder, 'large.mmmp'),
      await zeros(join(folder, 'index-of-zeros.mmmp'), [header('.mmm/index.json', 1024 * mb)], 512),
      await zeros(join(folder, 'nothing-but-zeros.mmmp'), [], 512),
      await zeros(join(folder, 'file-of-zeros.mmmp'), [header('.mmm/index.json', index.length), padded], 64),
    ];
    const program = join(import.meta.dirname, '../fixtures/programs/unpack-archives.ts');
    const store = join(folder, 'store');
    const words = ['--import', 'tsx', '--conditions=mmm-source', program, store, ...files];
    const env = { ...process.env, NODE_V8_COVERAGE: undefined };
    const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env });
    assert.notEqual(stdout, '', stderr);
    const { outcomes, peakMb } = JSON.parse(stdout) as { outcomes: string[]; peakMb: number };
    assert.deepEqual(outcomes, ['unpacked', 'BUNDLE_INVALID', 'BUNDLE_INVALID', 'BUNDLE_INVALID']);
    assert.ok(peakMb < peakMaxMb, `${peakMb.toFixed(0)} MB at most`);
    assert.deepEqual(readdirSync(store), []);
    assert.ok(readFileSync(files[1] ?? '').length < 2 * mb);
  },
);
