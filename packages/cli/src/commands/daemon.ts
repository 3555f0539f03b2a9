import { safeText } from '@mmm/host/display';
import type { DaemonStatus } from '@mmm/protocol';
import type { Command } from 'commander';
import { Option } from 'commander';
import { serviceFile } from '../daemon/service-file.ts';
import { startDaemon } from '../daemon/start-daemon.ts';
import type { Io } from '../io.ts';
import { definedEntries, homeDirectory } from '../open-host.ts';
import { exitCodes, type GlobalOptions, note, print } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

type RunOptions = GlobalOptions & { readonly safe?: boolean };

const safeWords = 'start no plugin; everything else works, so that what is wrong can be mended';

/** `mmm daemon …`: one host that serves every command of a home, and keeps plugins running between them. */
export function addDaemonCommands(program: Command, registry: Registry): void {
  const daemon = program.command('daemon').description('a host that stays: plugins keep running between commands');
  withGlobals(daemon.command('run'))
    .description('serve this home in the foreground, until Ctrl-C')
    .option('--safe', safeWords)
    .action((options: RunOptions) => registry.select((io) => run(io, options), options));
  withGlobals(daemon.command('start'))
    .description('serve this home in the background')
    .option('--safe', safeWords)
    .action((options: RunOptions) =>
      registry.select(async (io) => {
        const status = await startDaemon(io, homeDirectory(io, options), options.safe === true);
        print(io, options, { running: true, ...status }, statusText(status));
        return exitCodes.ok;
      }, options),
    );
  addStop(daemon, registry);
  addStatus(daemon, registry);
  addReload(daemon, registry);
  addInstall(daemon, registry);
}

async function run(io: Io, options: RunOptions): Promise<number> {
  const home = homeDirectory(io, options);
  const { defaultSearchPath, runDaemon, sealDescriptors } = await import('@mmm/host');
  if (io.ownsProcess === true) sealDescriptors();
  const { HOME: userHome, XDG_CONFIG_HOME: configHome, XDG_DATA_HOME: dataHome } = io.env;
  const daemon = await runDaemon({
    home,
    safe: options.safe === true,
    environment: definedEntries(io.env),
    searchPath: (project) => defaultSearchPath({ home, project, userHome, configHome, dataHome }),
  });
  if (io.ownsProcess === true) {
    process.on('SIGHUP', () => void daemon.reload());
    // It dies of it all the same; afterwards its log says why.
    process.on('uncaughtExceptionMonitor', (error) => daemon.note('error', `failed: ${error.stack ?? error.message}`));
  }
  print(io, options, { running: true, ...daemon.status }, statusText(daemon.status));
  const stop = (): void => void daemon.stop('it was told to by a signal');
  io.interrupted.addEventListener('abort', stop, { once: true });
  if (io.interrupted.aborted) stop();
  await daemon.stopped;
  return exitCodes.ok;
}

function addStop(daemon: Command, registry: Registry): void {
  withGlobals(daemon.command('stop'))
    .description('stop every plugin and the daemon, and wait until it is gone')
    .action((options: GlobalOptions) =>
      registry.select(async (io) => {
        const home = homeDirectory(io, options);
        const { stopDaemon } = await import('@mmm/host');
        const end = await stopDaemon(home);
        const texts = {
          none: `No daemon serves ${home}.`,
          stopped: `Stopped the daemon of ${home}.`,
          killed: `The daemon of ${home} did not stop, and was killed.`,
        };
        print(io, options, { home, stopped: end !== 'none', killed: end === 'killed' }, texts[end]);
        return exitCodes.ok;
      }, options),
    );
}

function addStatus(daemon: Command, registry: Registry): void {
  const command = withGlobals(daemon.command('status'))
    .description('say whether a daemon serves this home, and how it is')
    .action((options: GlobalOptions) =>
      registry.select(async (io) => await withStatus(io, options, (client) => client.status()), options),
    );
  withExamples(command, ['mmm daemon status', 'mmm daemon status --json'], 'Exit code 5: no daemon serves this home.');
}

function addReload(daemon: Command, registry: Registry): void {
  withGlobals(daemon.command('reload'))
    .description('read config.toml again, as SIGHUP does; it is also read when it was changed')
    .action((options: GlobalOptions) =>
      registry.select(async (io) => await withStatus(io, options, (client) => client.reload()), options),
    );
}

interface Asked {
  status(): Promise<DaemonStatus>;
  reload(): Promise<DaemonStatus>;
}

async function withStatus(io: Io, options: GlobalOptions, ask: (client: Asked) => Promise<DaemonStatus>) {
  const home = homeDirectory(io, options);
  const { findDaemon } = await import('@mmm/host');
  const client = await findDaemon(home);
  if (client === undefined) {
    const text = `No daemon serves ${home}. Commands run without one; start one with: mmm daemon start`;
    print(io, options, { running: false, home }, text);
    return exitCodes.notFound;
  }
  try {
    const status = await ask(client);
    print(io, options, { running: true, ...status }, statusText(status));
    return status.settings.problem === null ? exitCodes.ok : exitCodes.findings;
  } finally {
    client.close();
  }
}

function statusText({ pid, home, mmm, startedAt, safe, clients, settings, plugins }: DaemonStatus): string {
  const lines = [
    `Serving ${home}: pid ${pid}, mmm ${mmm}, since ${startedAt}${safe ? ', SAFE: no plugin is started' : ''}`,
    `  clients   ${clients}`,
    `  settings  ${settings.file}, as it was at ${settings.appliedAt}`,
  ];
  if (settings.problem !== null) {
    lines.push('            CHANGED SINCE, AND NOT TAKEN OVER:');
    lines.push(...settings.problem.split('\n').map((line) => `            ${safeText(line, 1000)}`));
  }
  lines.push(...plugins.map(({ plugin, problem }) => `  ${safeText(plugin, 100)}: ${safeText(problem, 1000)}`));
  return lines.join('\n');
}

function addInstall(daemon: Command, registry: Registry): void {
  const formats = new Option('--format <format>', 'the service manager (default: the one of this machine)');
  const command = withGlobals(daemon.command('install'))
    .description('print what has the daemon started with your session; changes nothing')
    .addOption(formats.choices(['systemd', 'launchd']))
    .action((options: GlobalOptions & { readonly format?: 'systemd' | 'launchd' }) =>
      registry.select(async (io) => {
        const format = options.format ?? (process.platform === 'darwin' ? 'launchd' : 'systemd');
        const { text, path, steps } = serviceFile(format, io, homeDirectory(io, options));
        print(io, options, { format, path, text, steps }, text);
        if (options.json !== true) note(io, [`# Put it into ${path}, then:`, ...steps].join('\n# '));
        return exitCodes.ok;
      }, options),
    );
  withExamples(command, ['mmm daemon install > ~/.config/systemd/user/mmm.service']);
}
