import { join } from 'node:path';
import type { Clock } from '@mmm/rpc';
import type { Home } from '../home.ts';
import { PluginLog } from '../log/plugin-log.ts';
import { type LogsSection, rotationOf } from '../settings/logs.ts';

/** No plugin can be called that: a name has no dot. */
const name = 'mmm.daemon';

/** Where the daemon of a home writes what happens to it. */
export function daemonLogFile(home: Pick<Home, 'logs'>): string {
  return join(home.logs, `${name}.jsonl`);
}

/** The daemon's own log: JSON lines, bounded and rotated as the logs of plugins are. */
export class DaemonLog {
  readonly #log: PluginLog;

  constructor(home: Pick<Home, 'logs'>, clock: Clock) {
    this.#log = new PluginLog(daemonLogFile(home), clock);
  }

  note(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log.write({ stream: 'host', level, message, fields });
  }

  /** Bounded from here on as `[logs]` says; what it says of one plugin is not about this log. */
  rotateAs(section: LogsSection | undefined): void {
    this.#log.rotateAs(rotationOf(name, section));
  }

  close(): void {
    this.#log.close();
  }
}
