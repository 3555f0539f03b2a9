import type { Clock, Timer } from '@mmm/rpc';
import type {
  MappingFired,
  MappingInfo,
  MappingProblem,
  Mappings,
  MappingsReport,
  MappingTest,
  MappingTrial,
  ModeInfo,
  TriggerInfo,
} from './api-mappings.ts';
import { checkArguments } from './arguments.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { EventDispatcher } from './events/dispatcher.ts';
import type { JournalEvent } from './events/journal.ts';
import { hostLimits } from './limits.ts';
import {
  type MappingCheckParts,
  mappingProblems,
  onlyTrigger,
  placedProblems,
  triggerProblems,
} from './mapping-checks.ts';
import { describeAction, describeTrigger, unknownName } from './mapping-text.ts';
import { MappingTrials } from './mapping-trials.ts';
import type { MappingConsumers } from './mappings/consumers.ts';
import { compileMapping, type Mapping, namedInstance } from './mappings/mapping.ts';
import type { CurrentMode, MappingRunner } from './mappings/runner.ts';
import { listMappings } from './settings/mappings.ts';
import type { Settings } from './settings/settings.ts';
import type { ModeStore } from './store/current-mode.ts';
import type { TriggerInstance } from './triggers/instance.ts';
import type { Triggers } from './triggers/triggers.ts';

export interface MappingsOfHostParts {
  readonly triggers: Triggers;
  readonly runner: MappingRunner;
  readonly consumers: MappingConsumers;
  readonly dispatcher: Pick<EventDispatcher, 'add' | 'wake' | 'hurry'>;
  readonly mode: ModeStore;
  readonly clock: Clock;
  /** Every plugin that is known, by id; kept up to date here. */
  readonly known: Map<string, PluginSpec>;
  settings(): Settings;
  discover(): Promise<readonly PluginSpec[]>;
  checks(): MappingCheckParts;
  /** Of the hosts of a home the one that holds it arms triggers. Undefined while another one does. */
  takeLock(): { release(): void } | undefined;
}

/** What of the host says that a plugin may be able to do now what it was not. */
const turningPoints: ReadonlySet<string> = new Set([
  'plugin.installed',
  'plugin.updated',
  'plugin.removed',
  'plugin.granted',
  'plugin.revoked',
]);

/** What is in force of the file, and what runs because of it. */
export class MappingsOfHost implements Mappings {
  readonly #parts: MappingsOfHostParts;
  readonly #trials: MappingTrials;
  #mappings: readonly Mapping[] = [];
  #instances: readonly TriggerInstance[] = [];
  #state: 'idle' | 'running' | 'closed' = 'idle';
  #lock: { release(): void } | undefined;
  #timer: Timer | undefined;
  /** One change of what is in force after the other. */
  #changes: Promise<void> = Promise.resolve();

  constructor(parts: MappingsOfHostParts) {
    this.#parts = parts;
    this.#trials = new MappingTrials({
      runner: parts.runner,
      clock: parts.clock,
      checks: () => parts.checks(),
      current: () => this.currentMode,
      mode: (name) => this.#modeNamed(name),
    });
  }

  /** As programs see it: each method first throws what `assertOpen` throws, and CONFIG_INVALID for wrong arguments. */
  api(assertOpen: () => void): Mappings {
    const checked = (method: 'mappings.test' | 'mappings.fire', trial: MappingTrial): void => {
      assertOpen();
      checkArguments(method, { trial });
    };
    return {
      run: async () => {
        assertOpen();
        await this.run();
      },
      list: async () => {
        assertOpen();
        return await this.list();
      },
      test: async (trial) => {
        checked('mappings.test', trial);
        return await this.test(trial);
      },
      fire: async (trial) => {
        checked('mappings.fire', trial);
        return await this.fire(trial);
      },
      setMode: async (name) => {
        assertOpen();
        checkArguments('mappings.setMode', { name });
        return await this.setMode(name);
      },
    };
  }

  get currentMode(): CurrentMode | null {
    const modes = this.#parts.settings().modes ?? [];
    if (modes.length === 0) return null;
    const stored = this.#parts.mode.get();
    // The first one, before anybody chose one or when that is gone from the file.
    const index = Math.max(
      0,
      modes.findIndex(({ name }) => name === stored),
    );
    return { index, name: modes[index]?.name ?? '' };
  }

  isActive({ mode, settings }: Mapping): boolean {
    return settings.enabled && (mode === null || mode === this.currentMode?.name);
  }

  /** A plugin has a trigger that is armed, or is to be. */
  isNeeded(plugin: string): boolean {
    return this.#parts.triggers.isNeeded(plugin);
  }

  async run(): Promise<void> {
    if (this.#state !== 'idle') return;
    this.#state = 'running';
    this.#parts.dispatcher.add({
      name: 'mappings',
      isDurable: false,
      wants: ({ type }) => turningPoints.has(type),
      handle: async () => {
        await this.refresh();
        this.#parts.triggers.retry();
        this.#parts.dispatcher.hurry();
      },
    });
    await this.refresh();
    this.#parts.dispatcher.wake();
  }

  /** Takes over what the file and the plugins are now. */
  async refresh(): Promise<void> {
    this.#changes = this.#changes
      .catch(() => undefined)
      .then(async () => {
        await this.#compile();
        if (this.#state !== 'running') return;
        await this.#parts.consumers.set(this.#mappings);
        this.#arm();
      });
    await this.#changes;
  }

  async list(): Promise<MappingsReport> {
    await this.refresh();
    const settings = this.#parts.settings();
    const checks = this.#parts.checks();
    const current = this.currentMode;
    const problems: MappingProblem[] = [];
    for (const [name, trigger] of Object.entries(settings.triggers ?? {})) {
      const found = await triggerProblems(['triggers', name], trigger, checks);
      problems.push(...(await placedProblems(settings.file, found)));
    }
    const mappings: MappingInfo[] = [];
    for (const mapping of this.#mappings) {
      const found = await placedProblems(settings.file, await mappingProblems(mapping, checks));
      mappings.push({
        ...{ name: mapping.name, description: mapping.settings.description ?? null, mode: mapping.mode },
        ...{ enabled: mapping.settings.enabled, isActive: this.isActive(mapping), problems: found },
        ...{ trigger: describeTrigger(mapping), action: describeAction(mapping) },
        ...this.#parts.runner.outcomeOf(mapping.name),
      });
    }
    return {
      file: settings.file,
      isRunning: this.#state === 'running' && this.#lock !== undefined,
      modes: (settings.modes ?? []).map(({ name, mappings: own }, index) => {
        return { index, name, isCurrent: name === current?.name, mappings: own.length };
      }),
      mappings,
      triggers: this.#wanted().map((instance) => this.#triggerInfo(instance)),
      problems,
    };
  }

  async test(trial: MappingTrial): Promise<readonly MappingTest[]> {
    await this.refresh();
    return await this.#trials.test(trial, this.#mappings);
  }

  async fire(trial: MappingTrial): Promise<readonly MappingFired[]> {
    await this.refresh();
    return await this.#trials.fire(trial, this.#mappings);
  }

  async setMode(name: string): Promise<ModeInfo> {
    const { index } = this.#modeNamed(name);
    this.#parts.mode.set(name);
    if (this.#state === 'running') this.#arm();
    const mappings = this.#parts.settings().modes?.[index]?.mappings.length ?? 0;
    return { index, name, isCurrent: true, mappings };
  }

  /** Somebody decided about a plugin: what it lacked it may have now. */
  async decided(plugin: string): Promise<void> {
    if (this.#state !== 'running') return;
    await this.refresh();
    this.#parts.triggers.retry(plugin);
  }

  /** Does what an event leads to for one mapping once more, whatever mode is in force. Rejects with why it failed. */
  async retry(consumer: string, event: JournalEvent): Promise<void> {
    await this.refresh();
    const mapping = this.#mappings.find((each) => each.consumer === consumer);
    if (mapping === undefined) throw new Error('its mapping is no longer in config.toml');
    await this.#parts.runner.run(mapping, event);
  }

  /** Before plugins are stopped: an open poll would only hold that up. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#timer?.cancel();
    await this.#parts.triggers.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #compile(): Promise<void> {
    const { settings, discover, known } = this.#parts;
    const plugins = await discover();
    known.clear();
    for (const spec of plugins) known.set(spec.id, spec);
    const triggerOf = (plugin: string): string | undefined => onlyTrigger(known.get(plugin));
    const sections = settings();
    const { triggers = {} } = sections;
    this.#mappings = listMappings(sections).map((listed) => compileMapping(listed, triggers, triggerOf));
    this.#instances = Object.entries(triggers).map(([name, trigger]) => namedInstance(name, trigger, triggerOf));
  }

  /** Those of `[triggers]`, and those of mappings whose mode is in force. */
  #wanted(): readonly TriggerInstance[] {
    const all = [
      ...this.#instances,
      ...this.#mappings.flatMap((mapping) => {
        return mapping.instance === undefined || !this.isActive(mapping) ? [] : [mapping.instance];
      }),
    ];
    const keys = all.map(({ plugin, instance }) => `${plugin} ${instance}`);
    return all.filter((_instance, index) => keys.indexOf(keys[index] ?? '') === index);
  }

  #arm(): void {
    if (this.#state !== 'running') return;
    try {
      this.#lock ??= this.#parts.takeLock();
    } catch {
      // A disk that fails: the next look tries again.
    }
    // What nobody knows cannot be started; it is armed when it is installed.
    if (this.#lock !== undefined)
      this.#parts.triggers.set(this.#wanted().filter(({ plugin }) => this.#parts.known.has(plugin)));
    else this.#later();
  }

  /** The host that arms triggers may end at any time. */
  #later(): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(hostLimits.triggerLockMs, () => this.#arm()).unref();
  }

  #triggerInfo(instance: TriggerInstance): TriggerInfo {
    const state = this.#parts.triggers.stateOf(instance);
    return {
      plugin: instance.plugin,
      trigger: instance.trigger,
      instance: instance.instance,
      state: state.kind,
      reason: state.kind === 'failed' ? state.reason : null,
    };
  }

  #modeNamed(name: string): CurrentMode {
    const names = (this.#parts.settings().modes ?? []).map((mode) => mode.name);
    const index = names.indexOf(name);
    if (index < 0) throw unknownName('mode', name, names);
    return { index, name };
  }
}
