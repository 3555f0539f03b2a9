import type { FieldIssue } from '@mmm/protocol';

/** One field of a plugin's configuration. Never carries the value of a secret. */
export interface ConfigField {
  /** Names joined by dots, as `mmm plugin config set` takes them. */
  readonly key: string;
  /** JSON types, as the schema names them; empty when it names none. */
  readonly types: readonly string[];
  readonly choices: readonly unknown[] | null;
  readonly description: string | null;
  readonly required: boolean;
  readonly secret: boolean;
  /** The value in force, or null for none; `[secret]` for a secret that has one. */
  readonly value: unknown;
  /** What it is when nobody sets it, or null. */
  readonly default: unknown;
  readonly from: 'user' | 'default' | 'unset';
}

export interface PluginConfig {
  /** False for a plugin without a configuration schema: nothing of it can be set. */
  readonly configurable: boolean;
  /** The whole configuration in force, defaults filled in; `[secret]` stands for each secret. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the user set, without defaults and without secrets. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly fields: readonly ConfigField[];
  /** Why the plugin would not be launched; empty when it would. Paths are keys. */
  readonly issues: readonly FieldIssue[];
}

/** A change of a configuration: `replace` first, then `unset`, then `set`; all of it or nothing. */
export interface ConfigChange {
  /** Values by key. A secret among them is stored apart. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** Those of its keys whose values stood where others can read them: refused when one is a secret. */
  readonly visible?: readonly string[];
  readonly unset?: readonly string[];
  /** Everything that is not secret, instead of what was set before. */
  readonly replace?: Readonly<Record<string, unknown>>;
}

export interface ConfigReport extends PluginConfig {
  /** `stored`: it does not run and gets it at its start. `configured`: it took it over. `restarted`: it had to be. */
  readonly applied: 'stored' | 'configured' | 'restarted';
}
