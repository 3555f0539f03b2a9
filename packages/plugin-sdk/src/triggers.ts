import type { PluginContext } from './context.ts';
import type { Schema } from './schema.ts';

/** One event as its trigger tells it. */
export interface TriggerEvent {
  /** What happened, such as `file.changed`: what mappings and subscriptions go by. */
  readonly type: string;
  /** Any JSON; null when left out. */
  readonly data?: unknown;
  /**
   * The same whenever this happening is told, so that the host drops a repetition. Default: one that no other event of
   * this plugin has.
   */
  readonly id?: string;
  /** When it happened. Default: now. */
  readonly at?: Date;
}

/** One armed instance of a trigger. */
export interface ArmedTrigger<T> {
  /** The host's name for it. */
  readonly instance: string;
  readonly config: T;
  /** Aborted when the instance is disarmed and when the session ends. */
  readonly signal: AbortSignal;
  /**
   * Tells the host of an event. Resolves when it is kept: on disk, unless the trigger is not durable. Waits while too
   * many events are unacknowledged, and rejects with the signal's reason when the instance is disarmed meanwhile.
   * Throws a RangeError for data above 256 KiB.
   */
  emit(event: TriggerEvent): Promise<void>;
}

export interface TriggerDefinition<T, C = Record<string, unknown>> {
  /** Types `trigger.config`. The manifest's own schema was checked by the host before. */
  readonly config?: Schema<T>;
  /** False for events that a crash may lose, kept in memory only. Say the same in the manifest. Default: true. */
  readonly durable?: boolean;
  /**
   * Begins to watch. Called after every start of the plugin for each instance that is armed. What it returns is called
   * when the instance is disarmed or the plugin stops. Throw to refuse the configuration.
   */
  start(
    trigger: ArmedTrigger<T>,
    context: PluginContext<C>,
  ): void | (() => void | Promise<void>) | Promise<void | (() => void | Promise<void>)>;
}

/** A trigger with the type of its configuration erased, as serving needs it. */
export interface Trigger {
  readonly config: Schema<unknown> | undefined;
  readonly durable: boolean;
  start(trigger: ArmedTrigger<unknown>, context: PluginContext<unknown>): unknown;
}

/** Types one trigger of `triggers` in `definePlugin`. Throws a TypeError for one without `start`. */
export function defineTrigger<T = Record<string, unknown>, C = Record<string, unknown>>(
  definition: TriggerDefinition<T, C>,
): Trigger {
  const { config, durable = true, start } = definition as unknown as TriggerDefinition<unknown, unknown>;
  if (typeof start !== 'function') throw new TypeError('A trigger needs a function: start(trigger, context) {…}');
  return { config, durable, start };
}
