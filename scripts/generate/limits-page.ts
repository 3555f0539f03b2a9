import { limitEffects } from '../../packages/host/src/settings/limit-effects.ts';
import {
  askedMax,
  defaultLimits,
  isAskedFor,
  type LimitName,
  limitNames,
  limitSentences,
} from '../../packages/host/src/settings/limits.ts';
import { table } from './tables.ts';

/** docs/limits.md: every limit, what it is without being set, who holds it, and what is over it. */
export function limitsPage(): string {
  return `${[
    '# Limits',
    [
      'What a plugin may use, and what happens when it wants more. Nothing has to be set: each limit has a value, and',
      '`mmm plugin info NAME` shows what a plugin gets. This page is generated: `npm run generate`.',
    ].join('\n'),
    table(['Limit', 'What', 'Default', 'A manifest may ask for'], limitNames.map(valueRow)),
    '## Setting them',
    'An author says in `plugin.toml` what the plugin needs, where the default is not enough or more than it needs:',
    '```toml\n[limits]\nmemory_mb = 1024\nprocesses = 64\ncalls_per_second = 20\n```',
    [
      'Whoever runs it decides in `config.toml` of the home: for all plugins that ask for nothing, how much a',
      'manifest may ask for, and for one plugin by its name, which beats everything else:',
    ].join('\n'),
    [
      '```toml\n[limits]\nmemory_mb = 256\nlog_lines_per_second = 50\n\n[limits.max]\nmemory_mb = 768\n\n',
      '[limits.plugins.greeter]\ncalls_per_second = 5\ndisk_mb = 100\n```',
    ].join(''),
    [
      'With both, `greeter` gets 768 MB (it asked for more than a manifest may), 64 processes, 5 calls a second,',
      'and everything else as `[limits]` and the defaults have it. Settings are read when a host is opened.',
    ].join('\n'),
    '## Who holds them, and what is over them',
    table(['Limit', 'Held', 'Over it'], limitNames.map(effectRow)),
    [
      'A call that is refused as `RATE_LIMITED` never reaches the plugin. Each is counted (`refused` of',
      '`mmm plugin stats`, `mmm_plugin_rate_limited_total`); its log has two lines for all of one second, and the',
      'audit log one entry a minute, `limit` with how many there were.',
      '',
      'A plugin that is ended for a limit is a crash like another: it is restarted as its policy says, its calls',
      'fail as `PLUGIN_EXITED` with the limit, its value, what was used and what to change. It is in its log, in',
      '`exits` of `mmm plugin stats` under the name in parentheses, and as `limit` in the audit log. `mmm doctor` says',
      'of each limit whether this machine can hold it.',
    ].join('\n'),
    '## What they do not cover',
    [
      '- Memory is what processes have mapped. Its /tmp and its /dev/shm are memory besides that, bounded by',
      '  `temporary_mb`; a file in memory that no process has mapped (`memfd_create`), by `file_mb` and `files`.',
      '- Between two looks a plugin of several processes can have more than its memory, each of them at most as much',
      '  as all may have. Where that is too much it needs a smaller number of processes, too.',
      '- Control groups are used where somebody gives mmm one: `control_group = "/sys/fs/cgroup/mmm"` in `[limits]`',
      '  names a folder that mmm may write to and that hands on the memory controller (version 2; version 1 works,',
      '  too). Each launch then has a group of its own there, for its memory, its /tmp and its /dev/shm together; what',
      '  the kernel ends in it is told as `memory`. `mmm doctor` says whether it works.',
      '- Without a sandbox (`--unconfined`) a plugin writes wherever its user may; only its own folder is measured.',
    ].join('\n'),
  ].join('\n\n')}\n`;
}

function valueRow(name: LimitName): string[] {
  return [`\`${name}\``, limitSentences[name], value(defaultLimits[name]), isAskedFor(name) ? most(name) : 'nothing'];
}

function effectRow(name: LimitName): string[] {
  const { how, over } = limitEffects[name];
  return [`\`${name}\``, how, over];
}

function most(name: LimitName): string {
  return Number.isFinite(askedMax[name]) ? `at most ${value(askedMax[name])}` : 'any';
}

function value(number: number): string {
  return Number.isFinite(number) ? number.toLocaleString('en') : 'none';
}
