import { resolve } from 'node:path';
import type { VerifyReport } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { type Io, readFileUpTo } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { folderIn, pathIn, sourceIn } from '../plugin-path.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';
import { trustText } from '../trust-text.ts';

/** Far more than a signature and its comments, or a key. */
const minisignBytesMax = 64 * 1024;

/** `sign`, `package`, `verify`: what is done with the bytes of a plugin, before and after it travels. */
export function addBundleCommands(plugin: Command, registry: Registry): void {
  addSign(plugin, registry);
  addPackage(plugin, registry);
  addVerify(plugin, registry);
}

function addSign(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('sign'))
    .description('sign a plugin folder (in its .mmm/) or an archive; signatures of other keys stay')
    .argument('<path>', 'the plugin folder, or a .mmmp archive')
    .option('--key <name>', 'which of your keys to use (default: the only one, or "default")')
    .action((path: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const signed = await host.sign(sourceIn(io, path), options.key);
            const { id, version, indexSha256, keyid, files, leftOut } = signed;
            const { name = '', fingerprint = keyid } =
              (await host.keys.list()).find((key) => key.keyid === keyid) ?? {};
            await noteLeftOut(io, leftOut);
            print(
              io,
              options,
              { id, version, bundleSha256: indexSha256, keyid, fingerprint, files, leftOut },
              `Signed ${id} ${version} (${files} files) with "${name}" (${fingerprint}).\n  bundle ${indexSha256}`,
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm plugin sign ./calculator', 'mmm plugin sign ./calculator-1.0.0.mmmp --key reviewer']);
}

function addPackage(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('package'))
    .description('write a plugin folder as one file, with the signatures it has; the same bytes on every machine')
    .argument('[dir]', 'the plugin folder', '.')
    .option('--output <file>', 'the archive, or a folder for it (default: NAME-VERSION.mmmp here)')
    .action((directory: string, options) =>
      registry.select(
        (io) =>
          // A home is not needed for this, and none is made.
          withHostToRead(io, options, async (host) => {
            const packed = await host.package(folderIn(io, directory), resolve(io.cwd, options.output ?? '.'));
            const { id, version, file, archiveBytes, archiveSha256, files, bytes, keyids, leftOut } = packed;
            await noteLeftOut(io, leftOut);
            if (keyids.length === 0) note(io, `It is not signed. Sign it with: mmm plugin sign ${file}`);
            const lines = [
              `Packed ${id} ${version} (${files} files, ${bytes} bytes) into ${file}, ${archiveBytes} bytes.`,
              `  sha256 ${archiveSha256}`,
              ...keyids.map((keyid) => `  signed ${keyid}`),
            ];
            print(io, options, packed, lines.join('\n'));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm plugin package ./calculator', 'mmm plugin package --output dist/']);
}

interface VerifyOptions extends GlobalOptions {
  readonly minisign?: string;
  readonly key?: string;
}

function addVerify(plugin: Command, registry: Registry): void {
  const command = withGlobals(plugin.command('verify'))
    .description('check every byte of a plugin against its signature and your trust')
    .argument('<path-or-plugin>', 'a plugin folder or a .mmmp archive, else the name of an installed plugin')
    .option('--minisign <file>', 'check this minisign signature over the archive instead of those in it')
    .option('--key <key>', 'the minisign public key, or @FILE (default: any key you trust for the plugin)')
    .action((target: string, options) => registry.select((io) => verify(io, options, target), options));
  withExamples(command, [
    'mmm plugin verify calculator',
    'mmm plugin verify ./calculator-1.0.0.mmmp',
    'mmm plugin verify x.mmmp --minisign x.mmmp.minisig --key @minisign.pub',
  ]);
}

async function verify(io: Io, options: VerifyOptions, target: string): Promise<number> {
  const { minisign: file, key } = options;
  if (key !== undefined && file === undefined) {
    throw new MmmError('USAGE', '--key is the key of --minisign; other signatures name theirs.', { argument: '--key' });
  }
  return await withHostToRead(io, options, async (host) => {
    const path = file === undefined ? pathIn(io, target) : sourceIn(io, target);
    const minisign =
      file === undefined
        ? undefined
        : {
            signature: await readArgument(io, '--minisign', file),
            ...(key === undefined
              ? {}
              : { key: key.startsWith('@') ? await readArgument(io, '--key', key.slice(1)) : key }),
          };
    const report = await host.verify(path ?? target, minisign === undefined ? {} : { minisign });
    print(io, options, { ...report, directory: path ?? null }, verifyText(report, path));
    return exitCodes.ok;
  });
}

function verifyText(report: VerifyReport, path: string | undefined): string {
  const { id, version, trust, files, bytes, minisign } = report;
  const place = path === undefined ? 'as installed' : `in ${path}`;
  const what = `${id} ${version} ${place} is intact: ${files} files, ${bytes} bytes`;
  if (minisign === null) return `${what}, ${trustText(trust)}.`;
  const { keyid, keyName, trustedComment } = minisign;
  const whose = keyName === null ? 'the key you gave' : `your trusted key "${safeText(keyName, 64)}"`;
  return [
    `${what}, signed with minisign by ${whose} (${keyid}).`,
    `  trusted comment: ${safeText(trustedComment, 400)}`,
    `  signatures inside: ${trust.kind === 'signed' ? trustText(trust) : 'none that you trust; installing needs one'}`,
  ].join('\n');
}

async function readArgument(io: Io, argument: string, file: string): Promise<string> {
  try {
    return await readFileUpTo(resolve(io.cwd, file), minisignBytesMax);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError('USAGE', `${argument} cannot be read from ${safeText(file, 400)}: ${reason}`, { argument });
  }
}

/** Said when an author may believe that it is in the plugin. */
async function noteLeftOut(io: Io, leftOut: readonly string[]): Promise<void> {
  const { leftOutKind } = await import('@mmm/bundle');
  const packages = leftOut.filter((path) => leftOutKind(path.split('/').at(-1) ?? '') === 'packages');
  if (packages.length === 0) return;
  note(
    io,
    `Left out: ${packages.map((path) => safeText(path, 200)).join(', ')}. A plugin brings its code in files of its ` +
      'own: bundle what it needs of these into them, as `mmm plugin dev` and the templates do.',
  );
}
