import { rmSync } from 'node:fs';
import { diskFailure, PrivateFileProblem, readPrivateFile, type WritePrivateFile } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { isTable, type Table } from './document.ts';

const schema = 'mmm.secrets/1';

/**
 * The secrets of one plugin name in a file of mode 0600, by the publisher they were entrusted to: another plugin of the
 * same name, signed by another key, gets none of them. Throws STATE_UNREADABLE, which never quotes the file.
 */
export class SecretFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  read(publisher: string): Table {
    const secrets = this.#all()[publisher];
    return isTable(secrets) ? secrets : {};
  }

  /** Writes all or nothing; a file without any secret is removed. */
  write(publisher: string, secrets: Table, writeFile: WritePrivateFile): void {
    const { [publisher]: _, ...others } = this.#all();
    const publishers = Object.keys(secrets).length === 0 ? others : { ...others, [publisher]: secrets };
    if (Object.keys(publishers).length === 0) {
      this.remove();
      return;
    }
    try {
      writeFile(this.#file, `${JSON.stringify({ schema, publishers }, undefined, 1)}\n`);
    } catch (error) {
      const file = this.#file;
      const named = diskFailure(error, {
        what: `The file of secrets ${file}`,
        file,
        after: 'Nothing in it was changed.',
      });
      if (named instanceof MmmError) throw named;
      throw this.#problem(`cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    }
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #all(): Table {
    let bytes: Buffer | undefined;
    try {
      bytes = readPrivateFile(this.#file, 0o077);
    } catch (error) {
      throw this.#problem(error instanceof PrivateFileProblem ? error.message : 'cannot be read');
    }
    if (bytes === undefined) return {};
    try {
      const content: unknown = JSON.parse(bytes.toString('utf8'));
      if (isTable(content) && content.schema === schema && isTable(content.publishers)) return content.publishers;
    } catch {
      // The parser's message would quote what it stumbled over.
    }
    throw this.#problem('is damaged');
  }

  #problem(reason: string): MmmError<'STATE_UNREADABLE'> {
    return new MmmError(
      'STATE_UNREADABLE',
      `The file of secrets ${this.#file} ${reason}. Mend it, or remove it and set the secrets again.`,
      { file: this.#file, reason },
    );
  }
}
