import { resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

/** `sign`, `verify`, `install`, `remove`: what brings plugins in and out. */
export function addInstallCommands(plugin: Command, registry: Registry): void {
  addInstall(plugin, registry);
  withGlobals(plugin.command('sign'))
    .description('sign a plugin folder: writes .mmm/index.json and .mmm/signatures.json')
    .argument('<dir>')
    .option('--key <name>', 'which of your keys to use (default: the only one, or "default")')
    .action((directory: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const signed = await host.sign(resolve(io.cwd, directory), options.key);
            const { id, version, indexSha256, keyid, files } = signed;
            print(
              io,
              options,
              { id, version, bundle_sha256: indexSha256, keyid, files },
              `Signed ${id} ${version} (${files} files) with ${keyid}.\n  bundle ${indexSha256}`,
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(plugin.command('verify'))
    .description('check every byte of a plugin against its signature and your trust')
    .argument('<path-or-plugin>')
    .action((target: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.verify(isPath(target) ? resolve(io.cwd, target) : target);
            const { id, version, bundleSha256, trust, files, bytes } = report;
            print(
              io,
              options,
              { id, version, bundle_sha256: bundleSha256, trust, files, bytes },
              `${id} ${version} is intact: ${files} files, ${bytes} bytes, ${trustText(trust)}.`,
            );
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withGlobals(plugin.command('remove'))
    .description('remove an installed plugin, its grants and its data')
    .argument('<plugin>')
    .option('--keep-data', 'keep the folder the plugin wrote to and its configuration')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            await host.remove(id, { keepData: options.keepData === true });
            print(io, options, { id, removed: true }, `Removed ${id}.`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
}

function addInstall(plugin: Command, registry: Registry): void {
  withGlobals(plugin.command('install'))
    .description('verify a plugin folder, copy it into the store and enable it')
    .argument('<path>')
    .option('--grant-requested', 'grant everything it asks for, except critical permissions')
    .option('--grant <permission...>', 'grant these permissions, each by name')
    .option('--allow-unsigned <name>', 'install this plugin without a signature; recorded in the audit log')
    .action((path: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            if (!isPath(path)) {
              throw new MmmError(
                'USAGE',
                `"${path}" is not a path. Plugins are installed from a folder: mmm plugin install ./${path}`,
                { argument: path },
              );
            }
            const report = await host.install(resolve(io.cwd, path), {
              grantRequested: options.grantRequested === true,
              ...(options.grant === undefined ? {} : { grant: options.grant }),
              ...(options.allowUnsigned === undefined ? {} : { allowUnsigned: options.allowUnsigned }),
            });
            const { id, version, bundleSha256, trust, granted, missing, replaced } = report;
            const lines = [
              `Installed ${id} ${version}${replaced === null ? '' : ` (was ${replaced})`}, ${trustText(trust)}.`,
            ];
            if (granted.length > 0) lines.push(`Granted: ${granted.join(', ')}`);
            if (missing.length > 0) {
              lines.push(
                `It will not start before you decide on: ${missing.join(', ')}`,
                `  mmm plugin grant ${id} ${missing.join(' ')}`,
              );
            }
            print(
              io,
              options,
              { id, version, bundle_sha256: bundleSha256, trust, granted, missing, replaced },
              lines.join('\n'),
            );
            return missing.length > 0 ? exitCodes.consent : exitCodes.ok;
          }),
        options,
      ),
    );
}

/** A name of a plugin never starts with "." and holds at most one "/"; everything else is a path. */
function isPath(text: string): boolean {
  return (
    /^[./~]/.test(text) ||
    text.split('/').length > 2 ||
    text.endsWith('/') ||
    text.includes('\\') ||
    /\.mmmp$/.test(text)
  );
}

function trustText(trust: { kind: string; keyName?: string; keyid?: string }): string {
  return trust.kind === 'signed'
    ? `signed by "${trust.keyName ?? ''}" (${trust.keyid ?? ''})`
    : `${trust.kind.toUpperCase()}`;
}
