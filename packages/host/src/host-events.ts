import type { ExitReason } from '@mmm/protocol';
import type { AuditEntry } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { describeExit } from './display/exit-error.ts';
import { type HostEventType, hostSource } from './events/event-types.ts';
import type { EventJournal } from './events/journal.ts';

/** What becomes of a plugin while a host supervises it. */
export type PluginChange =
  | { readonly kind: 'started'; readonly pid: number; readonly loadMs: number }
  | { readonly kind: 'exited'; readonly reason: ExitReason }
  | { readonly kind: 'quarantined'; readonly untilMs: number; readonly cause: string };

/** Told of what becomes of plugins, from wherever it is decided. */
export interface PluginObserver {
  changed(spec: PluginSpec, change: PluginChange): void;
  /** Something that was decided and recorded. */
  decided(entry: AuditEntry): void;
  removed(plugin: string): void;
}

export interface HostEventsParts {
  readonly journal: Pick<EventJournal, 'note'>;
  /** Runs it when what is being done at this moment is done. */
  later(run: () => void): void;
  /** The bundle that is the active one of a name, or null. */
  installedBundle(plugin: string): string | null;
  /** Told that what a plugin may is different now, or, with `isContent`, which plugins there are. */
  onDecided(plugin: string, isContent: boolean): void;
  onExited(plugin: string): void;
}

type Data = Readonly<Record<string, unknown>>;

/**
 * Journals what becomes of plugins as events of the host. What is tried out under development is nobody's business, and
 * of decisions only those that were carried out are told.
 */
export class HostEventRecorder implements PluginObserver {
  readonly #parts: HostEventsParts;

  constructor(parts: HostEventsParts) {
    this.#parts = parts;
  }

  changed(spec: PluginSpec, change: PluginChange): void {
    if (change.kind === 'exited') this.#parts.later(() => this.#parts.onExited(spec.id));
    if (spec.origin === 'development') return;
    const { id: plugin } = spec;
    const { version } = spec.manifest.plugin;
    switch (change.kind) {
      case 'started':
        this.#tell('plugin.started', { plugin, version, pid: change.pid, load_ms: Math.round(change.loadMs) });
        return;
      case 'exited':
        if (change.reason.kind === 'requested' || change.reason.kind === 'clean') return;
        this.#tell('plugin.crashed', {
          ...{ plugin, version },
          kind: change.reason.kind,
          detail: describeExit(change.reason),
        });
        return;
      case 'quarantined':
        this.#tell('plugin.quarantined', {
          ...{ plugin, version },
          until: new Date(change.untilMs).toISOString(),
          cause: change.cause,
        });
    }
  }

  decided({ action, plugin, detail }: AuditEntry): void {
    if (plugin === undefined) return;
    // The record comes before the deed: what is told is told once that is done.
    const told = decisions[action];
    if (told !== undefined) this.#parts.later(() => this.#tellDecision(told, plugin, detail));
    if (action === 'enable' || action === 'disable') this.#parts.later(() => this.#parts.onDecided(plugin, false));
  }

  removed(plugin: string): void {
    this.#tell('plugin.removed', { plugin });
  }

  #tellDecision(type: 'plugin.granted' | 'plugin.revoked' | 'plugin.installed', plugin: string, detail: Data): void {
    if (type !== 'plugin.installed') {
      const { permissions, source } = detail;
      this.#tell(type, { plugin, permissions, ...(source === undefined ? {} : { source }) });
    } else if (this.#parts.installedBundle(plugin) === detail.bundle) {
      const { version, bundle, replaced } = detail;
      const isUpdate = typeof replaced === 'string';
      const before = isUpdate ? { replaced } : {};
      this.#tell(isUpdate ? 'plugin.updated' : 'plugin.installed', { plugin, version, bundle, ...before });
    }
    this.#parts.onDecided(plugin, type === 'plugin.installed');
  }

  #tell(type: HostEventType, data: Data): void {
    this.#parts.journal.note({ type, data, source: hostSource });
  }
}

const decisions: Readonly<
  Partial<Record<AuditEntry['action'], 'plugin.granted' | 'plugin.revoked' | 'plugin.installed'>>
> = {
  grant: 'plugin.granted',
  revoke: 'plugin.revoked',
  install: 'plugin.installed',
};
