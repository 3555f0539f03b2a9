import { createHash } from 'node:crypto';
import { type FieldIssue, MmmError } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import type { Suggest } from '../schema/field-issues.ts';
import { compileSchema } from '../schema/json-schema.ts';
import type { Table } from './document.ts';
import { type FieldNode, fieldTree } from './field-tree.ts';

/** What a plugin says about its configuration. */
export interface Definition {
  /** `[config.defaults]` of the manifest. */
  readonly defaults: Table;
  /** Undefined for a plugin without a configuration schema: nothing of it can be set. */
  readonly root: FieldNode | undefined;
  /** What is wrong with a whole configuration; paths are keys. */
  check(config: Table): readonly FieldIssue[];
}

/** Where a definition is read from. */
export interface DefinitionSource {
  readonly plugin: string;
  readonly defaults: Table;
  /** The path of the schema in the bundle, if there is one. */
  readonly schema: string | undefined;
  /** The text of a file of the bundle. */
  readFile(path: string): Promise<string>;
}

/** Reads definitions, and keeps them compiled for as long as the schema's text is the same. */
export class Definitions {
  readonly #suggest: Suggest;
  readonly #compiled = new Map<string, { readonly sha256: string; readonly schema: Promise<Definition> }>();

  constructor(suggest: Suggest) {
    this.#suggest = suggest;
  }

  /** Throws MANIFEST_INVALID for a schema that cannot be used. */
  async read(source: DefinitionSource): Promise<Definition> {
    const { plugin, defaults, schema } = source;
    if (schema === undefined) return { defaults, root: undefined, check: () => [] };
    try {
      const text = await source.readFile(schema);
      if (text.length > hostLimits.schemaBytes) {
        throw new Error(`it is larger than ${hostLimits.schemaBytes / 1024} KiB`);
      }
      const sha256 = createHash('sha256').update(text).digest('hex');
      let known = this.#compiled.get(plugin);
      if (known?.sha256 !== sha256) {
        known = { sha256, schema: define(text, this.#suggest) };
        this.#compiled.set(plugin, known);
      }
      return { ...(await known.schema), defaults };
    } catch (error) {
      throw unusable(plugin, schema, error);
    }
  }
}

async function define(text: string, suggest: Suggest): Promise<Definition> {
  const schema: unknown = JSON.parse(text);
  const issuesOf = await compileSchema(schema, '', suggest);
  return {
    defaults: {},
    root: fieldTree(schema),
    check: (config) => issuesOf(config).map((issue) => (issue.path === '' ? { ...issue, path: 'the whole' } : issue)),
  };
}

function unusable(plugin: string, file: string, error: unknown): MmmError<'MANIFEST_INVALID'> {
  const reason = safeText(error instanceof Error ? error.message : String(error), 400);
  const message =
    `The configuration schema of "${plugin}" in ${safeText(file)} cannot be used: ${reason}. ` +
    'This is a mistake of the plugin; report it to its author.';
  const issues = [{ line: 1, column: 1, path: 'config.schema', message: reason }];
  return new MmmError('MANIFEST_INVALID', message, { file, line: 1, column: 1, issues }, { cause: error });
}
