import { join } from 'node:path';
import type { Io } from '../io.ts';
import { programCommand } from './program-command.ts';

export interface ServiceFile {
  readonly text: string;
  /** Where the service manager looks for it. */
  readonly path: string;
  /** The commands that take it into use. */
  readonly steps: readonly string[];
}

const label = 'dev.mmm.daemon';

/** What has a service manager keep the daemon of a home running. */
export function serviceFile(format: 'systemd' | 'launchd', io: Pick<Io, 'env'>, home: string): ServiceFile {
  const words = [...programCommand(), 'daemon', 'run', '--home', home];
  const user = io.env.HOME ?? '';
  return format === 'systemd' ? systemdUnit(words, home, user) : launchdAgent(words, home, user);
}

function systemdUnit(words: readonly string[], home: string, user: string): ServiceFile {
  const isRoot = process.getuid?.() === 0;
  const [path, manager] = isRoot
    ? ['/etc/systemd/system/mmm.service', 'systemctl']
    : [join(user, '.config/systemd/user/mmm.service'), 'systemctl --user'];
  const text = [
    '[Unit]',
    `Description=mmm plugin host (${home.replaceAll('%', '%%')})`,
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${words.map(systemdWord).join(' ')}`,
    // A faulty file keeps the running settings; `mmm daemon status` says so.
    'ExecReload=/bin/kill -HUP $MAINPID',
    'Restart=on-failure',
    'RestartSec=1',
    // Plugins are stopped by the daemon, in order and within 8 s; what is left then is killed.
    'KillMode=mixed',
    'TimeoutStopSec=15',
    '',
    '[Install]',
    `WantedBy=${isRoot ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n');
  return { text, path, steps: [`${manager} daemon-reload`, `${manager} enable --now mmm.service`] };
}

function systemdWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[A-Za-z0-9_./:=@+,%$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, '\\$&')}"`;
}

function launchdAgent(words: readonly string[], home: string, user: string): ServiceFile {
  const path = join(user, `Library/LaunchAgents/${label}.plist`);
  const text = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    `  <key>Label</key><string>${label}</string>`,
    '  <key>ProgramArguments</key>',
    '  <array>',
    ...words.map((word) => `    <string>${xmlText(word)}</string>`),
    '  </array>',
    '  <key>RunAtLoad</key><true/>',
    '  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>',
    '  <key>ExitTimeOut</key><integer>15</integer>',
    `  <key>StandardErrorPath</key><string>${xmlText(join(home, 'logs/mmm.daemon.stderr'))}</string>`,
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
  return { text, path, steps: [`launchctl bootstrap gui/$(id -u) '${path.replaceAll("'", "'\\''")}'`] };
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
