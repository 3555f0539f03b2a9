import type { StoredRevocations, TrustedKey } from '@mmm/bundle';
import type { HostClient, RevocationsReport } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { readTextFile, writeTextFile } from '../text-file.ts';

/** `mmm key revocations …`: signed lists of what must not run, for many machines at once. */
export function addRevocationCommands(key: Command, registry: Registry): void {
  const revocations = key.command('revocations').description('signed lists of keys and bundles that must not run');
  addImport(revocations, registry);
  addList(revocations, registry);
  addNew(revocations, registry);
}

function addImport(revocations: Command, registry: Registry): void {
  withGlobals(revocations.command('import'))
    .description('take a list over that a trusted root key signed; what it names is stopped at once')
    .argument('<file>', 'the list, or - for standard input')
    .action((file: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.importRevocations(await readTextFile(io, file), file);
            const news = report.isNew ? 'In force' : 'Already in force';
            print(
              io,
              options,
              documentOf(report),
              [`${news}: ${sentenceOf(report.list, await host.trust.list())}`, fingerprintOf(report)].join('\n'),
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addList(revocations: Command, registry: Registry): void {
  withGlobals(revocations.command('list'))
    .alias('ls')
    .description('show what is revoked by which list, and until when each list holds')
    .action((options) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const lists = await host.trust.revocations();
            const known = await host.trust.list();
            const document = { lists: lists.map((list) => listDocument(list, nameOf(list.signedBy, known))) };
            print(
              io,
              options,
              document,
              lists.length === 0 ? 'No revocation lists.' : lists.map((list) => listText(list, known)).join('\n'),
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

interface NewOptions extends GlobalOptions {
  readonly signer?: string;
  readonly key?: readonly string[];
  readonly bundle?: readonly string[];
  readonly reason: string;
  readonly expires: string;
  readonly output: string;
}

function addNew(revocations: Command, registry: Registry): void {
  const command = withGlobals(revocations.command('new'))
    .description('make the next list of your own root key: all it revoked before, and what you add')
    .option('--key <key...>', 'revoke these keys: names in your trust store, or key ids')
    .option('--bundle <sha256...>', 'revoke these bundles: the sha256 that `mmm plugin verify` and `info` show')
    .option('--reason <text>', 'why; shown to everybody whose plugin is refused', 'revoked')
    .option('--expires <time>', 'when the next list is there at the latest: 2027-01-31, or 30d', '30d')
    .option('--signer <name>', 'which of your root keys signs it (default: the only one)')
    .requiredOption('--output <file>', 'where to write the list')
    .action((options: NewOptions) =>
      registry.select((io) => withHost(io, options, (host) => issue(io, options, host)), options),
    );
  withExamples(
    command,
    [
      'mmm key revocations new --key acme --reason "key stolen" --output revocations.json',
      'mmm key revocations new --expires 30d --output revocations.json',
    ],
    'The second one revokes nothing more: it renews the list before it expires.',
  );
}

async function issue(io: Io, options: NewOptions, host: HostClient): Promise<number> {
  const { systemClock } = await import('@mmm/host');
  const { signer, key: keys = [], bundle: bundles = [], reason, output } = options;
  const wrong = bundles.find((sha256) => !/^[0-9a-f]{64}$/i.test(sha256));
  if (wrong !== undefined) {
    const message = `--bundle takes the sha256 of a bundle, 64 hex digits, not ${JSON.stringify(wrong.slice(0, 80))}.`;
    throw new MmmError('USAGE', message, { argument: '--bundle' });
  }
  const expires = parseTime('--expires', options.expires, 'future', systemClock.now());
  const wanted = { keys, bundles, reason, expires };
  const report = await host.issueRevocations(signer === undefined ? wanted : { ...wanted, key: signer });
  writeTextFile(io, output, report.statement, 0o644);
  const lines = [
    `Wrote ${output}. In force here: ${sentenceOf(report.list, await host.trust.list())}`,
    fingerprintOf(report),
    'Elsewhere it counts once it was imported: mmm key revocations import FILE',
  ];
  print(io, options, { ...documentOf(report), file: output }, lines.join('\n'));
  return exitCodes.ok;
}

function documentOf({ isNew, list, issuer }: RevocationsReport): Record<string, unknown> {
  return { ...listDocument(list, issuer.name), fingerprint: issuer.fingerprint, isNew };
}

function listDocument(list: StoredRevocations, issuer: string): Record<string, unknown> {
  const { version, issuedAt, expires, importedAt, keys, bundles } = list;
  return { issuer, keyid: list.signedBy, version, issuedAt, expires, importedAt, keys, bundles };
}

function fingerprintOf({ issuer }: RevocationsReport): string {
  return `  fingerprint  ${issuer.fingerprint}`;
}

function sentenceOf(
  { version, expires, signedBy, keys, bundles }: StoredRevocations,
  known: readonly TrustedKey[],
): string {
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
  const what = `${count(keys.length, 'key')}, ${count(bundles.length, 'bundle')}`;
  return `list ${version} of "${nameOf(signedBy, known)}" revokes ${what}; it holds until ${expires}.`;
}

function listText(list: StoredRevocations, known: readonly TrustedKey[]): string {
  const entry = (what: string, id: string, at: string, reason: string): string =>
    `  ${what} ${id}  ${at}  ${safeText(reason, 400)}`;
  return [
    sentenceOf(list, known),
    `  signed by ${keyOf(list.signedBy, known)?.fingerprint ?? list.signedBy}`,
    ...list.keys.map(({ keyid, at, reason }) => entry('key   ', keyid, at, reason)),
    ...list.bundles.map(({ sha256, at, reason }) => entry('bundle', sha256, at, reason)),
  ].join('\n');
}

function nameOf(keyid: string, known: readonly TrustedKey[]): string {
  return keyOf(keyid, known)?.name ?? keyid;
}

function keyOf(keyid: string, known: readonly TrustedKey[]): TrustedKey | undefined {
  return known.find((key) => key.keyid === keyid);
}
