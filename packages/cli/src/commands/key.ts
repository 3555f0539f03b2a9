import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SigningKeyInfo, TrustedKey } from '@mmm/bundle';
import type { Host } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print, table } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm key …`: your own signing keys and the keys of publishers you trust. */
export function addKeyCommands(program: Command, registry: Registry): void {
  const key = program.command('key').description('signing keys and trusted publishers');
  withGlobals(key.command('new'))
    .description('make a signing key and trust it on this machine')
    .option('--name <name>', 'what to call it', 'default')
    .action((options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const { keyid, publicKey, fingerprint } = await host.createKey(options.name);
            print(
              io,
              options,
              { name: options.name, keyid, public_key: publicKey, fingerprint, scopes: ['*'] },
              [
                `Made the key "${options.name}". Plugins signed with it are trusted on this machine.`,
                `  fingerprint  ${fingerprint}`,
                `  public key   ${publicKey}`,
                'Others trust it with: mmm key trust <public key> --name NAME --scope PLUGIN',
              ].join('\n'),
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(key.command('list'))
    .description('list your own keys and the trusted ones')
    .action((options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const own = await host.keys.list();
            const trusted = host.trust.list();
            const document = {
              own: own.map(({ name, keyid, publicKey, fingerprint }) => ({
                name,
                keyid,
                public_key: publicKey,
                fingerprint,
              })),
              trusted: trusted.map((entry) => ({
                name: entry.name,
                keyid: entry.keyid,
                public_key: entry.publicKey,
                role: entry.role,
                scopes: entry.scopes,
                not_after: entry.notAfter ?? null,
                revoked: entry.revoked ?? null,
              })),
            };
            const text =
              trusted.length + own.length === 0 ? 'No keys. Make one with: mmm key new' : keysText(trusted, own);
            print(io, options, document, text);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  addTrustCommands(key, registry);
}

/** Two lines a key: who may sign what, and the public key as others need it. */
function keysText(trusted: readonly TrustedKey[], own: readonly SigningKeyInfo[]): string {
  const isOwn = (keyid: string): boolean => own.some((key) => key.keyid === keyid);
  const rows = trusted.map((entry) => [
    entry.name,
    entry.keyid,
    entry.role,
    entry.scopes.join(','),
    entry.revoked === undefined ? 'trusted' : 'REVOKED',
    isOwn(entry.keyid) ? 'own' : '',
  ]);
  const untrusted = own.filter(({ keyid }) => !trusted.some((entry) => entry.keyid === keyid));
  for (const { name, keyid } of untrusted) rows.push([name, keyid, '-', '-', 'not trusted', 'own']);
  const [header = '', ...lines] = table([['NAME', 'KEY ID', 'ROLE', 'SCOPES', 'STATE', ''], ...rows]).split('\n');
  const publicKeys = [...trusted, ...untrusted].map(({ publicKey }) => `  public key  ${publicKey}`);
  return [header, ...lines.flatMap((line, index) => [line, publicKeys[index] ?? ''])].join('\n');
}

function addTrustCommands(key: Command, registry: Registry): void {
  const trust = withGlobals(key.command('trust'))
    .description('trust the publisher who owns a public key')
    .argument('<public-key>', 'the base64 line that `mmm key list` prints, or @FILE to read it from a file')
    .requiredOption('--name <name>', 'what to call the publisher')
    .option('--scope <plugin...>', 'plugins the key may sign: a name, "publisher/*" or "*"')
    .option('--replace', 'change an own key, or take a name or scopes from a key that is trusted already')
    .action((text: string, options) =>
      registry.select((io) => withHost(io, options, (host) => trustKey(io, options, host, text)), options),
    );
  withExamples(trust, [
    "mmm key trust kR2nF0aM5yYw8m5y0p8o2b6mJb0n4C6JQ8jv7u1m3Yg= --name acme --scope 'acme/*'",
    'mmm key trust @acme.pub --name acme --scope acme/fetcher acme/reader',
  ]);
  withGlobals(key.command('revoke'))
    .description('stop trusting a key; plugins it signed are refused from the next start on')
    .argument('<key>', 'its name or key id')
    .option('--reason <text>', 'why, for the audit log', 'revoked by the user')
    .action((name: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const revoked = await host.revokeKey(name, options.reason);
            print(
              io,
              options,
              { name: revoked.name, keyid: revoked.keyid, revoked: true },
              `Revoked "${revoked.name}" (${revoked.keyid}).`,
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

interface TrustOptions extends GlobalOptions {
  readonly name: string;
  readonly scope?: readonly string[];
  readonly replace?: boolean;
}

async function trustKey(io: Io, options: TrustOptions, host: Host, text: string): Promise<number> {
  const { name, scope: scopes, replace = false } = options;
  if (scopes === undefined) {
    throw new MmmError(
      'USAGE',
      'Say which plugins this key may sign: --scope NAME, --scope "publisher/*" or --scope "*".',
      { argument: '--scope' },
    );
  }
  const publicKey = text.startsWith('@') ? await readKeyFile(io, text.slice(1)) : text;
  const known = host.trust.list();
  const trusted = await host.trustKey({ publicKey, name, scopes, replace });
  const before = known.find(({ keyid }) => keyid === trusted.keyid);
  const { describeTrust } = await import('@mmm/host');
  const now = describeTrust(trusted);
  const was = before === undefined ? undefined : describeTrust(before);
  const said = was === undefined ? `as ${now}` : was === now ? `already, as ${now}` : `as ${now}; it was ${was}`;
  const document = {
    name: trusted.name,
    keyid: trusted.keyid,
    scopes: trusted.scopes,
    before: before === undefined ? null : { name: before.name, scopes: before.scopes },
  };
  print(io, options, document, `Trusted ${trusted.keyid} ${said}.`);
  return exitCodes.ok;
}

async function readKeyFile(io: Io, file: string): Promise<string> {
  try {
    return (await readFile(resolve(io.cwd, file), 'utf8')).trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError('USAGE', `The public key cannot be read from ${file}: ${reason}`, { argument: `@${file}` });
  }
}
