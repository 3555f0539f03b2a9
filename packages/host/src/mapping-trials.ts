import type { Clock } from '@mmm/rpc';
import type { MappingFired, MappingTest, MappingTrial } from './api-mappings.ts';
import { applicationSource } from './events/event-types.ts';
import type { JournalEvent } from './events/journal.ts';
import { actionCapability, type MappingCheckParts } from './mapping-checks.ts';
import { unknownName } from './mapping-text.ts';
import type { Mapping } from './mappings/mapping.ts';
import { type CurrentMode, type MappingRunner, reasonOf } from './mappings/runner.ts';

export interface MappingTrialsParts {
  readonly runner: MappingRunner;
  readonly clock: Clock;
  checks(): MappingCheckParts;
  current(): CurrentMode | null;
  /** Throws CONFIG_INVALID for one that is not there. */
  mode(name: string): CurrentMode;
}

type TrialEvent = Omit<JournalEvent, 'seq' | 'asked'>;

/** What mappings make of an event that somebody thought of. */
export class MappingTrials {
  readonly #parts: MappingTrialsParts;

  constructor(parts: MappingTrialsParts) {
    this.#parts = parts;
  }

  /** Of those that it is for; with `mapping` of that one, for it or not. */
  async test(trial: MappingTrial, mappings: readonly Mapping[]): Promise<readonly MappingTest[]> {
    const tests: MappingTest[] = [];
    for (const { mapping, event, isFor, mode } of this.#chosen(trial, mappings)) {
      const problem = isFor ? null : `the event is not for it: ${event.type} ${JSON.stringify(event.data)}`;
      tests.push(problem === null ? await this.#plan(mapping, event, mode) : { ...nothing(mapping), problem });
    }
    return tests;
  }

  async fire(trial: MappingTrial, mappings: readonly Mapping[]): Promise<readonly MappingFired[]> {
    const { clock, runner } = this.#parts;
    const fired: MappingFired[] = [];
    for (const { mapping, event, isFor, mode } of this.#chosen(trial, mappings)) {
      const startedMs = clock.monotonic();
      const planned = isFor
        ? await this.#plan(mapping, event, mode)
        : { ...nothing(mapping), problem: `the event is not for it: ${event.type} ${JSON.stringify(event.data)}` };
      const outcome = { ok: false, output: null as unknown, problem: planned.problem };
      if (planned.problem === null) {
        try {
          const result = await runner.run(mapping, event, undefined, mode);
          outcome.ok = true;
          outcome.output = result.kind === 'call' ? result.output : null;
        } catch (error) {
          outcome.problem = reasonOf(error);
        }
      }
      const durationMs = Math.round((clock.monotonic() - startedMs) * 10) / 10;
      fired.push({ ...planned, ...outcome, durationMs });
    }
    return fired;
  }

  #chosen(trial: MappingTrial, mappings: readonly Mapping[]) {
    const { mapping: wanted } = trial;
    const named = mappings.find(({ name }) => name === wanted);
    if (wanted !== undefined && named === undefined) {
      const known = mappings.map(({ name }) => name);
      throw unknownName('mapping', wanted, known);
    }
    const mode = trial.mode === undefined ? this.#parts.current() : this.#parts.mode(trial.mode);
    if (named !== undefined) {
      const event = this.#event(trial, named);
      return [{ mapping: named, event, isFor: named.matches(event), mode }];
    }
    const event = this.#event(trial, undefined);
    return mappings
      .filter((each) => each.settings.enabled && (each.mode === null || each.mode === mode?.name))
      .filter((each) => each.matches(event))
      .map((each) => ({ mapping: each, event, isFor: true, mode }));
  }

  /** What is not said is as the trigger of the mapping asks for. */
  #event({ type, data, source, instance }: MappingTrial, mapping: Mapping | undefined): TrialEvent {
    const sample = mapping?.sample();
    const usual = isTable(sample?.data) && isTable(data) ? { ...sample.data, ...data } : (data ?? sample?.data ?? null);
    return {
      id: 'trial',
      type: type ?? sample?.type ?? 'trial',
      data: usual,
      timestamp: new Date(this.#parts.clock.now()).toISOString(),
      source: source ?? sample?.source ?? applicationSource('trial'),
      instance: instance ?? sample?.instance ?? null,
      depth: 0,
    };
  }

  async #plan(mapping: Mapping, event: TrialEvent, mode: CurrentMode | null): Promise<MappingTest> {
    const about = nothing(mapping);
    try {
      const planned = this.#parts.runner.plan(mapping, event, mode);
      if (planned.kind === 'mode') return { ...about, mode: planned.mode };
      const { plugin, params } = planned.call;
      const { plugins, schemas, readFile } = this.#parts.checks();
      const spec = plugins.get(plugin);
      const named = planned.call.capability;
      const action = { plugin, capability: named ?? '', params };
      if (spec === undefined) return { ...about, action, problem: `${plugin} is not installed` };
      const section = actionCapability(spec, named);
      const checked = { ...action, capability: section.name };
      const key = `${spec.id} ${spec.manifestSha256} ${spec.directory}`;
      const bundle = { key, readFile: (path: string) => readFile(spec, path) };
      const problem = await schemas.input({ plugin, capability: section, bundle }, params).then(
        () => null,
        (error: unknown) => reasonOf(error),
      );
      return { ...about, action: checked, problem };
    } catch (error) {
      return { ...about, problem: reasonOf(error) };
    }
  }
}

function nothing({ name }: Mapping): MappingTest {
  return { mapping: name, action: null, mode: null, problem: null };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
