import { readFile } from 'node:fs/promises';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print, table } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

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
          withHost(io, options, async (host) => {
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
            const rows = trusted.map((entry) => [
              entry.name,
              entry.keyid,
              entry.role,
              entry.scopes.join(','),
              entry.revoked === undefined ? 'trusted' : 'REVOKED',
              own.some(({ keyid }) => keyid === entry.keyid) ? 'own' : '',
            ]);
            const text =
              rows.length === 0
                ? 'No keys. Make one with: mmm key new'
                : table([['NAME', 'KEY ID', 'ROLE', 'SCOPES', 'STATE', ''], ...rows]);
            print(io, options, document, text);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  addTrustCommands(key, registry);
}

function addTrustCommands(key: Command, registry: Registry): void {
  withGlobals(key.command('trust'))
    .description('trust the publisher who owns a public key')
    .argument('<public-key>', 'the key in base64, or @FILE to read it from a file')
    .requiredOption('--name <name>', 'what to call the publisher')
    .option('--scope <plugin...>', 'plugins the key may sign: a name, "publisher/*" or "*"')
    .action((text: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const scopes: readonly string[] | undefined = options.scope;
            if (scopes === undefined) {
              throw new MmmError(
                'USAGE',
                'Say which plugins this key may sign: --scope NAME, --scope "publisher/*" or --scope "*".',
                { argument: '--scope' },
              );
            }
            const publicKey = text.startsWith('@') ? (await readFile(text.slice(1), 'utf8')).trim() : text;
            const trusted = await host.trustKey({ publicKey, name: options.name, scopes });
            print(
              io,
              options,
              { name: trusted.name, keyid: trusted.keyid, scopes: trusted.scopes },
              `Trusted ${trusted.keyid} as "${trusted.name}" for ${trusted.scopes.join(', ')}.`,
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
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
