import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { homeDirectory, withHost } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm backup` and `mmm restore`: a home as one file. */
export function addBackupCommands(program: Command, registry: Registry): void {
  addBackup(program, registry);
  addRestore(program, registry);
}

function addBackup(program: Command, registry: Registry): void {
  const command = withGlobals(program.command('backup'))
    .description('write state, grants, settings, trust, keys, secrets and the audit log into one file')
    .argument('<file>', 'where; nothing must be there yet')
    .action((file: string, options) =>
      registry.select(async (io) => {
        refuseMissing(homeDirectory(io, options));
        return await withHost(io, options, async (host) => {
          const report = await host.backup(resolve(io.cwd, file));
          const size = `${(report.bytes / 1024).toFixed(0)} KB, ${report.contents.length} files`;
          print(io, options, report, `Wrote ${report.file} (${size}). It holds your keys and secrets: keep it safe.`);
          return exitCodes.ok;
        });
      }, options),
    );
  withExamples(
    command,
    ['mmm backup ~/mmm-$(date +%F).backup'],
    'Works while a daemon runs. Plugins and their data folders are not in it.',
  );
}

/** A home that is made for its backup holds nothing, and that would be found out when the backup is needed. */
function refuseMissing(home: string): void {
  if (existsSync(home)) return;
  const message = `There is no home ${home}, so there is nothing to back up. Name yours with --home or MMM_HOME.`;
  throw new MmmError('HOME_INVALID', message, { path: home, reason: 'it does not exist' });
}

function addRestore(program: Command, registry: Registry): void {
  const command = withGlobals(program.command('restore'))
    .description('make the home what it was when a backup was made')
    .argument('<file>', 'what `mmm backup` wrote')
    .action((file: string, options) =>
      registry.select(async (io) => {
        const { restoreHome, sealDescriptors } = await import('@mmm/host');
        if (io.ownsProcess === true) sealDescriptors();
        const report = await restoreHome(homeDirectory(io, options), resolve(io.cwd, file));
        const text =
          `${report.home} is what it was on ${report.madeAt}; what was revoked since stays revoked.\n` +
          `What was there before lies in ${report.before}. Remove it when you are sure.`;
        print(io, options, report, text);
        return exitCodes.ok;
      }, options),
    );
  withExamples(command, ['mmm daemon stop && mmm restore ~/mmm-2027-01-31.backup'], 'Nothing may work with the home.');
}
