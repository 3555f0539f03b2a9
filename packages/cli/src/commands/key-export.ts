import { createPublicKey } from 'node:crypto';
import type { PublicKeyInfo } from '@mmm/bundle';
import type { HostClient } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { type Command, Option } from 'commander';
import { withHostToRead } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { writeTextFile } from '../text-file.ts';

/** What precedes the 32 bytes of an ed25519 public key in a SubjectPublicKeyInfo. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** `mmm key export`: the public half, for those who shall trust it. A secret is never exported. */
export function addKeyExport(key: Command, registry: Registry): void {
  const command = withGlobals(key.command('export'))
    .description('print a public key, or the rotation that led to it, to be given to others')
    .argument('[key]', 'an own key by name, or a trusted one by name or key id (default: your only one, or "default")')
    .addOption(
      new Option('--format <format>', 'base64 for `mmm key trust`, pem for openssl')
        .choices(['base64', 'pem'])
        .default('base64'),
    )
    .option('--rotation', 'the signed statement that made it the successor of another key')
    .option('--output <file>', 'write a file instead')
    .action((name: string | undefined, options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const found = await findKey(host, name);
            const { keyid, publicKey, fingerprint } = found;
            const statement = options.rotation === true ? await rotationTo(host, found) : undefined;
            const text = statement ?? (options.format === 'pem' ? pemOf(publicKey) : `${publicKey}\n`);
            const { output } = options;
            if (output !== undefined) writeTextFile(io, output, text, 0o644);
            const document = {
              ...{ name: found.name, keyid, publicKey, fingerprint },
              ...(options.format === 'pem' ? { pem: pemOf(publicKey) } : {}),
              ...(statement === undefined ? {} : { rotation: statement }),
              file: output ?? null,
            };
            const written = `Wrote ${output}, about the key "${found.name}".\n  fingerprint  ${fingerprint}`;
            print(io, options, document, output === undefined ? text : written);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, [
    'mmm key export --output me.pub',
    'mmm key export acme --format pem',
    'mmm key export --rotation --output rotation.json',
  ]);
}

type NamedKey = PublicKeyInfo & { readonly name: string };

async function findKey(host: HostClient, name: string | undefined): Promise<NamedKey> {
  const own = await host.keys.list();
  const trusted = await host.trust.list();
  const found = own.find((key) => key.name === name) ?? trusted.find((key) => key.name === name || key.keyid === name);
  // The ring says which of several is meant without a name, and that there is none.
  return found ?? (await host.keys.get(name));
}

async function rotationTo({ trust }: HostClient, { name, keyid }: NamedKey): Promise<string> {
  const statement = await trust.rotationTo(keyid);
  if (statement !== undefined) return statement;
  const message = `There is no rotation: the key "${name}" (${keyid}) is not known to have taken over from another.`;
  throw new MmmError('KEY_NOT_FOUND', message, { key: name, known: [] });
}

function pemOf(publicKey: string): string {
  const key = Buffer.concat([spkiPrefix, Buffer.from(publicKey, 'base64')]);
  return createPublicKey({ key, format: 'der', type: 'spki' }).export({ format: 'pem', type: 'spki' }).toString();
}
