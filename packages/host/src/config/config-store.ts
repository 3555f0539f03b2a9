import { join } from 'node:path';
import type { WritePrivateFile } from '@mmm/bundle';
import type { ConfigurationStore } from '../store/store.ts';
import type { Table } from './document.ts';
import { SecretFile } from './secret-file.ts';

/** Whose configuration it is. */
export interface ConfigOwner {
  /** The name its decisions are kept under. */
  readonly id: string;
  /** The name of its file of secrets, without an extension. */
  readonly fileName: string;
  /** Who signed it. Secrets are for one publisher, the other values for all of a name. */
  readonly publisher: string;
}

/** What a user set, without any default. */
export interface StoredConfig {
  readonly values: Table;
  readonly secrets: Table;
}

/** Values in state.db, secrets in files of their own. Several processes may change the same configuration. */
export class ConfigStore {
  readonly #values: ConfigurationStore;
  readonly #directory: string;

  /** `directory` must exist and be private. */
  constructor(values: ConfigurationStore, directory: string) {
    this.#values = values;
    this.#directory = directory;
  }

  read(owner: ConfigOwner): StoredConfig {
    return { values: this.#values.read(owner.id), secrets: this.#file(owner).read(owner.publisher) };
  }

  /** Replaces what is stored by what `change` makes of it, with nobody else changing it meanwhile. */
  update(
    owner: ConfigOwner,
    at: string,
    writeFile: WritePrivateFile,
    change: (stored: StoredConfig) => StoredConfig,
  ): void {
    const file = this.#file(owner);
    this.#values.update(owner.id, at, (values) => {
      const secrets = file.read(owner.publisher);
      const next = change({ values, secrets });
      if (next.secrets !== secrets) file.write(owner.publisher, next.secrets, writeFile);
      return next.values;
    });
  }

  /** Of every publisher. */
  remove(owner: Omit<ConfigOwner, 'publisher'>): void {
    this.#file(owner).remove();
    this.#values.remove(owner.id);
  }

  #file({ fileName }: Pick<ConfigOwner, 'fileName'>): SecretFile {
    return new SecretFile(join(this.#directory, `${fileName}.json`));
  }
}
