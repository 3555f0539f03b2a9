import type { ReloadReport } from '@mmm/host';
import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

/** `mmm plugin restart` and `mmm plugin rollback`. */
export function addReloadCommands(plugin: Command, registry: Registry): void {
  const restart = withGlobals(plugin.command('restart'))
    .description('put a new process in the place of the one that runs, without a gap for its callers')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.reload(id);
            // Without a daemon the host is this command's own, and its plugins end with it.
            const ends = 'close' in host ? ' It ran in this command alone: no daemon runs.' : '';
            print(io, options, report, `${reloadText(report)}${ends}`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(
    restart,
    ['mmm plugin restart calculator'],
    'The new process has to start and to answer before the old one gets no more calls; the calls that the old one\n' +
      'works on are waited for. When the new one fails, the old one goes on. A plugin in quarantine is tried at once.',
  );
  const rollback = withGlobals(plugin.command('rollback'))
    .description('go back to the version that was installed before the last update')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.rollback(id);
            const { version, replaced, reload } = report;
            const running = reload === null || reload.outcome === 'stopped' ? '' : ` ${reloadText(reload)}`;
            print(io, options, report, `${id} is ${version} again, and was ${replaced}.${running}`);
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(rollback, ['mmm plugin rollback calculator']);
}

export function reloadText({ id, version, outcome, pid, durationMs }: ReloadReport): string {
  switch (outcome) {
    case 'switched':
      return `Restarted ${id} ${version} in ${durationMs.toFixed(0)} ms: calls go to pid ${pid ?? '?'}.`;
    case 'started':
      return `Started ${id} ${version} in ${durationMs.toFixed(0)} ms, with pid ${pid ?? '?'}.`;
    case 'stopped':
      return `${id} ${version} does not run; the next call starts it.`;
  }
}
