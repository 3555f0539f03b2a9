import { basename, join } from 'node:path';
import type { Configurations } from './configuration.ts';
import type { PluginSpec } from './discover/spec.ts';
import { diskName } from './home.ts';
import { dataDirectory } from './identity.ts';
import { boundedFields } from './log/bounded-fields.ts';
import type { LogTrouble } from './log/log-trouble.ts';
import { type LogLine, PluginLog } from './log/plugin-log.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { ResolvedOptions } from './options.ts';
import type { PluginResources } from './plugin-resources.ts';
import { rotationOf } from './settings/logs.ts';

export interface PluginLogsParts {
  readonly options: ResolvedOptions;
  readonly configurations: Configurations;
  readonly resources: PluginResources;
  readonly metrics: MetricsRecorder;
}

/** The logs of a host's plugins, kept open. Every line that may hold words of a plugin comes this way. */
export class PluginLogs {
  readonly #parts: PluginLogsParts;
  /** By file. */
  readonly #logs = new Map<string, { readonly plugin: string; readonly log: PluginLog }>();

  constructor(parts: PluginLogsParts) {
    this.#parts = parts;
    parts.options.live.onChange(({ logs }) => {
      for (const { plugin, log } of this.#logs.values()) log.rotateAs(rotationOf(plugin, logs));
    });
  }

  /** The logs that have gaps now, because the disk is full or fails. */
  get troubles(): readonly (LogTrouble & { readonly file: string })[] {
    return [...this.#logs].flatMap(([file, { log }]) => (log.trouble === undefined ? [] : [{ file, ...log.trouble }]));
  }

  file(spec: PluginSpec): string {
    const { home } = this.#parts.options;
    // What a plugin prints under development is no part of the log of the installed one.
    const name = spec.origin === 'development' ? basename(dataDirectory(home, spec)) : diskName(spec.id);
    return join(home.logs, `${name}.jsonl`);
  }

  /** A line that it printed. */
  printed(spec: PluginSpec, stream: 'stderr' | 'stdout', line: string, cut: boolean): void {
    this.#of(spec).write(() => {
      const message = this.#parts.configurations.redactor(spec)?.text(line, cut) ?? line;
      return { stream, level: 'info', message: cut ? `${message} … (cut)` : message };
    });
  }

  /** A line that it logged, or one of the host's about it. */
  write(spec: PluginSpec, line: Omit<LogLine, 'at'>): void {
    this.#of(spec).write(() => {
      const bounded = line.fields === undefined ? line : { ...line, fields: boundedFields(line.fields) };
      return this.#parts.configurations.redactor(spec)?.value(bounded) ?? bounded;
    });
  }

  /** Lines that were over the rate before they came here. */
  drop(spec: PluginSpec, lines: number): void {
    this.#of(spec).drop(lines);
  }

  /** One line of the host's about a plugin that it may know by nothing but its name. */
  noteOnce(id: string, message: string): void {
    const { home, clock } = this.#parts.options;
    const log = new PluginLog(join(home.logs, `${diskName(id)}.jsonl`), clock, this.#follow(id));
    log.write({ stream: 'host', level: 'warn', message });
    log.close();
  }

  close(): void {
    for (const { log } of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  #of(spec: PluginSpec): PluginLog {
    const file = this.file(spec);
    let log = this.#logs.get(file)?.log;
    if (log === undefined) {
      const { options, resources, metrics } = this.#parts;
      log = new PluginLog(file, options.clock, {
        ...this.#follow(spec.id),
        ...rotationOf(spec.id, options.settings.logs),
        linesPerSecond: resources.limitsOf(spec).log_lines_per_second,
        ...(spec.origin === 'development'
          ? {}
          : { onDropped: (lines: number) => metrics.count(spec.id, 'logLinesDropped', lines) }),
      });
      this.#logs.set(file, { plugin: spec.id, log });
    }
    return log;
  }

  #follow(id: string): { onLine?: (line: LogLine) => void } {
    const { onLog } = this.#parts.options;
    return onLog === undefined ? {} : { onLine: (line) => onLog(id, line) };
  }
}
