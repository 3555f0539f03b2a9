import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MmmError } from '@mmm/protocol';
import * as z from 'zod';
import { decodeBase64, encodeBase64 } from './encoding.ts';
import { PrivateFileProblem, privateFileWriter, readPrivateFile } from './private-file.ts';
import type { PublicKeyInfo } from './public-key.ts';
import { describePublicKey } from './public-key.ts';
import { loadTweetnacl } from './strict-ed25519.ts';

/** One of the user's own keys, without its secret. */
export interface SigningKeyInfo extends PublicKeyInfo {
  readonly name: string;
}

/** A key that can sign. The secret stays in the closure: it cannot be printed or serialised by accident. */
export interface SigningKey extends SigningKeyInfo {
  /** The 64 bytes of an ed25519 signature, deterministic. */
  sign(bytes: Uint8Array): Uint8Array;
}

const keyFile = z.strictObject({
  schema: z.literal('mmm.key/1'),
  name: z.string(),
  publicKey: z.string(),
  seed: z.string(),
});
const keyName = /^[a-z0-9][a-z0-9_-]{0,63}$/;
/** The key that is meant when no name is given and there are several. */
const usualName = 'default';

/** The user's own signing keys: one file each, readable by nobody else. Making a key does not make it trusted. */
export class KeyRing {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Makes a key. `record` is called before it is written; when it throws, there is none. Throws KEY_EXISTS: keys are
   * never overwritten; KEY_INVALID for a name that cannot be a file's.
   */
  async create(name: string, record: (key: SigningKeyInfo) => void = () => undefined): Promise<SigningKey> {
    if (!keyName.test(name)) {
      throw keyInvalid(name, 'its name is not made of up to 64 lower-case letters, digits, "_" and "-"');
    }
    const nacl = await loadTweetnacl();
    const seed = nacl.randomBytes(nacl.sign.seedLength);
    const { publicKey } = nacl.sign.keyPair.fromSeed(seed);
    if ((await this.#names()).includes(name)) throw keyExists(name, this.#file(name));
    record({ name, ...describePublicKey(publicKey) });
    await this.#write(name, fileText(name, publicKey, seed));
    return await this.get(name);
  }

  /**
   * Lets `name` be the key called `successor` from now on; the key of that name is then called `retired`. No secret is
   * lost, wherever this is interrupted: each is in a file of its own before another one is replaced.
   */
  async replace(name: string, successor: string, retired: string): Promise<void> {
    const [old, next] = [this.#read(name), this.#read(successor)];
    const raw = (info: SigningKeyInfo): Uint8Array => decodeBase64(info.publicKey, 32) ?? new Uint8Array();
    await this.#write(retired, fileText(retired, raw(old.info), old.seed));
    const write = await privateFileWriter();
    write(this.#file(name), fileText(name, raw(next.info), next.seed));
    await rm(this.#file(successor), { force: true });
  }

  /** Sorted by name. Does not load any secret into a signer. A damaged file is an error, not a gap. */
  async list(): Promise<SigningKeyInfo[]> {
    return (await this.#names()).map((name) => this.#read(name).info);
  }

  /** The key of this name; without a name the only key, or the one called `default`. Throws KEY_NOT_FOUND. */
  async get(name?: string): Promise<SigningKey> {
    const known = await this.#names();
    const wanted = name ?? (known.length === 1 ? known[0] : usualName);
    if (wanted === undefined || !known.includes(wanted)) throw keyNotFound(name, known);
    const { info, seed } = this.#read(wanted);
    const nacl = await loadTweetnacl();
    const pair = nacl.sign.keyPair.fromSeed(seed);
    if (encodeBase64(pair.publicKey) !== info.publicKey) {
      throw keyInvalid(wanted, 'its file holds a public key that does not belong to its secret');
    }
    return { ...info, sign: (bytes) => nacl.sign.detached(Uint8Array.from(bytes), pair.secretKey) };
  }

  /** Throws a key away that never came into use. */
  async discard(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
  }

  async #names(): Promise<string[]> {
    const entries = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return entries
      .filter((entry) => entry.endsWith('.json'))
      .map((entry) => entry.slice(0, -'.json'.length))
      .filter((name) => keyName.test(name))
      .sort();
  }

  #file(name: string): string {
    return join(this.#directory, `${name}.json`);
  }

  #read(name: string): { info: SigningKeyInfo; seed: Uint8Array } {
    try {
      const bytes = readPrivateFile(this.#file(name), 0o077);
      if (bytes === undefined) throw new PrivateFileProblem('is gone');
      const stored = keyFile.parse(JSON.parse(bytes.toString('utf8')));
      const publicKey = decodeBase64(stored.publicKey, 32);
      const seed = decodeBase64(stored.seed, 32);
      if (stored.name !== name || publicKey === undefined || seed === undefined) {
        throw new PrivateFileProblem('does not hold the key of this name');
      }
      return { info: { name, ...describePublicKey(publicKey) }, seed };
    } catch (error) {
      const why = error instanceof PrivateFileProblem ? error.message : 'is damaged';
      throw keyInvalid(name, `its file ${this.#file(name)} ${why}`);
    }
  }

  /** Written whole under another name first, then linked: a key is never overwritten and never half there. */
  async #write(name: string, text: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await chmod(this.#directory, 0o700);
    const file = this.#file(name);
    const temporary = `${file}.${randomBytes(6).toString('hex')}`;
    try {
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.chmod(0o600);
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await link(temporary, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw keyExists(name, file);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

function fileText(name: string, publicKey: Uint8Array, seed: Uint8Array): string {
  const content = { schema: 'mmm.key/1', name, publicKey: encodeBase64(publicKey), seed: encodeBase64(seed) };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function keyExists(key: string, file: string): MmmError<'KEY_EXISTS'> {
  const message = `There is a key called ${key} already, in ${file}. Choose another name (--name).`;
  return new MmmError('KEY_EXISTS', message, { key, file });
}

function keyInvalid(key: string, reason: string): MmmError<'KEY_INVALID'> {
  return new MmmError('KEY_INVALID', `The signing key ${JSON.stringify(key)} cannot be used: ${reason}.`, {
    key,
    reason,
  });
}

function keyNotFound(name: string | undefined, known: readonly string[]): MmmError<'KEY_NOT_FOUND'> {
  const have = known.length === 0 ? 'You have none; make one with `mmm key new`.' : `You have ${known.join(', ')}.`;
  const sentence =
    name === undefined
      ? `There is no one signing key to take without a name. ${have}`
      : `You have no signing key called ${JSON.stringify(name)}. ${have}`;
  return new MmmError('KEY_NOT_FOUND', sentence, { key: name ?? '', known });
}
