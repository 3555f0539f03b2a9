import type { SigningKeyInfo, TrustedKey } from '@mmm/bundle';
import type { HostClient } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { type Command, Option } from 'commander';
import type { Io } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print, table } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { readTextFile } from '../text-file.ts';
import { addKeyExport } from './key-export.ts';
import { addRevocationCommands } from './key-revocations.ts';
import { addRotationCommands } from './key-rotation.ts';

/** `mmm key …`: your own signing keys, the keys of others you trust, and what was said about both. */
export function addKeyCommands(program: Command, registry: Registry): void {
  const key = program.command('key').description('signing keys, trusted publishers, rotation and revocation');
  addNew(key, registry);
  addList(key, registry);
  addTrust(key, registry);
  addRevoke(key, registry);
  addRotationCommands(key, registry);
  addRevocationCommands(key, registry);
  addKeyExport(key, registry);
}

function roleOption(): Option {
  const words = 'what it signs: plugins (publisher) or revocation lists (root)';
  return new Option('--role <role>', words).choices(['publisher', 'root']).default('publisher');
}

function addNew(key: Command, registry: Registry): void {
  withGlobals(key.command('new'))
    .description('make a signing key and trust it on this machine')
    .option('--name <name>', 'what to call it', 'default')
    .addOption(roleOption())
    .action((options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const { name, role } = options;
            const { keyid, publicKey, fingerprint } = await host.createKey(name, { role });
            const asRole = role === 'root' ? ' --role root' : '';
            const trusted = role === 'root' ? 'Revocation lists' : 'Plugins';
            print(
              io,
              options,
              { name, keyid, publicKey, fingerprint, role, scopes: ['*'] },
              [
                `Made the key "${name}". ${trusted} signed with it are trusted on this machine.`,
                `  fingerprint  ${fingerprint}`,
                `  public key   ${publicKey}`,
                `Others trust it with: mmm key trust <public key> --name NAME --scope PLUGIN${asRole}`,
              ].join('\n'),
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addList(key: Command, registry: Registry): void {
  withGlobals(key.command('list'))
    .alias('ls')
    .description('list your own keys and the trusted ones, with their whole fingerprints')
    .action((options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const own = await host.keys.list();
            const trusted: KnownKey[] = [];
            for (const key of await host.trust.list()) trusted.push(await knownKey(key, host));
            const document = {
              own: own.map(({ name, keyid, publicKey, fingerprint }) => ({ name, keyid, publicKey, fingerprint })),
              trusted: trusted.map(trustedDocument),
            };
            const text =
              trusted.length + own.length === 0 ? 'No keys. Make one with: mmm key new' : keysText(trusted, own);
            print(io, options, document, text);
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

/** A trusted key with what else is known about it. */
interface KnownKey extends TrustedKey {
  readonly revocation: Awaited<ReturnType<HostClient['trust']['revocationOf']>>;
  readonly publisher: string;
}

async function knownKey(key: TrustedKey, { trust }: HostClient): Promise<KnownKey> {
  return { ...key, revocation: await trust.revocationOf(key.keyid), publisher: await trust.publisherOf(key.keyid) };
}

function trustedDocument(entry: KnownKey): Record<string, unknown> {
  return {
    name: entry.name,
    keyid: entry.keyid,
    publicKey: entry.publicKey,
    fingerprint: entry.fingerprint,
    role: entry.role,
    scopes: entry.scopes,
    notAfter: entry.notAfter ?? null,
    revoked: entry.revocation ?? null,
    successor: entry.successor ?? null,
    publisher: entry.publisher,
  };
}

/** Three lines a key: who may sign what, what people compare, and the public key as others need it. */
function keysText(trusted: readonly KnownKey[], own: readonly SigningKeyInfo[]): string {
  const isOwn = (keyid: string): boolean => own.some((key) => key.keyid === keyid);
  const rows = trusted.map((entry) => [
    entry.name,
    entry.keyid,
    entry.role,
    entry.scopes.join(','),
    stateOf(entry, entry.revocation !== undefined),
    isOwn(entry.keyid) ? 'own' : '',
  ]);
  const untrusted = own.filter(({ keyid }) => !trusted.some((entry) => entry.keyid === keyid));
  for (const { name, keyid } of untrusted) rows.push([name, keyid, '-', '-', 'not trusted', 'own']);
  const [header = '', ...lines] = table([['NAME', 'KEY ID', 'ROLE', 'SCOPES', 'STATE', ''], ...rows]).split('\n');
  const details = [...trusted, ...untrusted].map(
    ({ fingerprint, publicKey }) => `  fingerprint ${fingerprint}\n  public key  ${publicKey}`,
  );
  return [header, ...lines.flatMap((line, index) => [line, details[index] ?? ''])].join('\n');
}

function stateOf({ notAfter, successor }: TrustedKey, isRevoked: boolean): string {
  if (isRevoked) return 'REVOKED';
  if (successor !== undefined) return `handed over to ${successor.keyid}`;
  return notAfter === undefined ? 'trusted' : `trusted until ${notAfter}`;
}

function addTrust(key: Command, registry: Registry): void {
  const trust = withGlobals(key.command('trust'))
    .description('trust the publisher who owns a public key, or who may revoke')
    .argument('<public-key>', 'the base64 line that `mmm key export` prints, or @FILE to read it from a file')
    .requiredOption('--name <name>', 'what to call the publisher')
    .option('--scope <plugin...>', 'plugins the key may sign: a name, "publisher/*" or "*"')
    .addOption(roleOption())
    .option('--expires <time>', 'trust it only until then: 2027-01-31, or 90d from now')
    .option('--replace', 'change an own key, or take a name, a role, scopes or time from a key that is trusted already')
    .action((text: string, options) =>
      registry.select((io) => withHost(io, options, (host) => trustKey(io, options, host, text)), options),
    );
  withExamples(trust, [
    "mmm key trust kR2nF0aM5yYw8m5y0p8o2b6mJb0n4C6JQ8jv7u1m3Yg= --name acme --scope 'acme/*'",
    'mmm key trust @acme.pub --name acme --scope acme/fetcher acme/reader --expires 2027-12-31',
    "mmm key trust @security.pub --name 'security team' --role root --scope '*'",
  ]);
}

function addRevoke(key: Command, registry: Registry): void {
  withGlobals(key.command('revoke'))
    .description('stop trusting a key for ever; what it signed is stopped and refused')
    .argument('<key>', 'its name or key id')
    .option('--reason <text>', 'why, for the audit log', 'revoked by the user')
    .action((name: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const { keyid, fingerprint, successor, ...revoked } = await host.revokeKey(name, options.reason);
            const next = successor && (await host.trust.find(successor.keyid));
            const lines = [`Revoked "${revoked.name}".`, `  fingerprint  ${fingerprint}`];
            if (next !== undefined && next.revoked === undefined) {
              lines.push(
                `It handed over to "${next.name}" (${next.fingerprint}), which stays trusted. If whoever has the`,
              );
              lines.push(`revoked key may have made that one, revoke it too: mmm key revoke ${next.keyid}`);
            }
            print(io, options, { name: revoked.name, keyid, fingerprint, revoked: true }, lines.join('\n'));
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

interface TrustOptions extends GlobalOptions {
  readonly name: string;
  readonly scope?: readonly string[];
  readonly role: 'publisher' | 'root';
  readonly expires?: string;
  readonly replace?: boolean;
}

async function trustKey(io: Io, options: TrustOptions, host: HostClient, text: string): Promise<number> {
  const { name, scope: scopes, role, replace = false } = options;
  if (scopes === undefined) {
    throw new MmmError(
      'USAGE',
      'Say which plugins this key may sign: --scope NAME, --scope "publisher/*" or --scope "*".',
      { argument: '--scope' },
    );
  }
  const publicKey = text.startsWith('@') ? (await readTextFile(io, text.slice(1))).trim() : text;
  const known = await host.trust.list();
  const { describeTrust, systemClock } = await import('@mmm/host');
  const notAfter =
    options.expires && parseTime('--expires', options.expires, 'future', systemClock.now()).toISOString();
  const wanted = { publicKey, name, scopes, role, replace };
  const trusted = await host.trustKey(notAfter === undefined ? wanted : { ...wanted, notAfter });
  const before = known.find(({ keyid }) => keyid === trusted.keyid);
  const now = describeTrust(trusted);
  const was = before === undefined ? undefined : describeTrust(before);
  const said = was === undefined ? `as ${now}` : was === now ? `already, as ${now}` : `as ${now}; it was ${was}`;
  const document = {
    ...trustedDocument(await knownKey(trusted, host)),
    before: before === undefined ? null : { name: before.name, scopes: before.scopes },
  };
  print(io, options, document, `Trusted ${said}.\n  fingerprint  ${trusted.fingerprint}`);
  return exitCodes.ok;
}
