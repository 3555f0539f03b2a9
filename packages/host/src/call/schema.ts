import { type CapabilitySection, type FieldIssue, kindShapes, MmmError, type ShapedKind } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { issuesSentence, type Side, zodIssues } from './field-issues.ts';
import type { Suggest } from './find-capability.ts';
import { type CompiledSchema, compileSchema } from './json-schema.ts';

/** Where the schemas of one bundle come from. */
export interface BundleSchemas {
  /** Identity of the content: two bundles with the same key have the same files. */
  readonly key: string;
  /** The text of a file of the bundle, by the path the manifest gives. */
  readFile(path: string): string | Promise<string>;
}

/** The capability of a plugin that a value is for, or comes from. */
export interface SchemaSubject {
  readonly plugin: string;
  readonly capability: CapabilitySection;
  readonly bundle: BundleSchemas;
}

/**
 * Checks inputs before a plugin sees them and outputs before a caller does: by the shape of the capability's kind, and
 * by its own JSON Schema when the manifest names one. Compiled schemas are kept, `hostLimits.compiledSchemas` of them.
 */
export class SchemaValidator {
  readonly #suggest: Suggest | undefined;
  /** In the order of use, the one used longest ago first. */
  readonly #compiled = new Map<string, Promise<CompiledSchema>>();

  constructor(options: { readonly suggest?: Suggest } = {}) {
    this.#suggest = options.suggest;
  }

  /**
   * The input as the plugin gets it: with the defaults of its kind filled in, and `{}` for none. Throws INPUT_INVALID,
   * which names every wrong field, and MANIFEST_INVALID when the schema itself is unusable.
   */
  async input(subject: SchemaSubject, input: unknown): Promise<unknown> {
    const { plugin, capability } = subject;
    const checked = await this.#check(subject, 'input', input === undefined ? {} : input);
    if (checked.issues.length === 0) return checked.value;
    throw new MmmError(
      'INPUT_INVALID',
      `${plugin} was not called: the input of ${capability.name} is not valid: ${issuesSentence(checked.issues)}.`,
      { plugin, capability: capability.name, issues: checked.issues },
    );
  }

  /** The output, unchanged. Throws RESULT_INVALID, which names the wrong fields. */
  async output(subject: SchemaSubject, output: unknown): Promise<unknown> {
    const { plugin, capability } = subject;
    const { issues } = await this.#check(subject, 'output', output);
    if (issues.length === 0) return output;
    throw resultInvalid(plugin, capability.name, issues);
  }

  async #check(
    subject: SchemaSubject,
    side: Side,
    given: unknown,
  ): Promise<{ readonly value: unknown; readonly issues: readonly FieldIssue[] }> {
    const { capability } = subject;
    let value = given;
    if (isShaped(capability.kind)) {
      const parsed = kindShapes[capability.kind][side].safeParse(given);
      if (!parsed.success) return { value, issues: zodIssues(side, parsed.error) };
      value = parsed.data;
    }
    const source = capability[side];
    if (source === undefined) return { value, issues: [] };
    const compiled = await this.#schema(subject, side, source);
    return { value, issues: compiled(value) };
  }

  #schema(subject: SchemaSubject, side: Side, source: string | object): Promise<CompiledSchema> {
    const { capability, bundle } = subject;
    const key = `${bundle.key} ${capability.kind} ${capability.name} ${side}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) {
      this.#compiled.delete(key);
      this.#compiled.set(key, known);
      return known;
    }
    const compiled = this.#compile(subject, side, source);
    this.#compiled.set(key, compiled);
    // A file that could not be read now may be readable at the next call.
    compiled.catch(() => this.#compiled.delete(key));
    for (const oldest of this.#compiled.keys()) {
      if (this.#compiled.size <= hostLimits.compiledSchemas) break;
      this.#compiled.delete(oldest);
    }
    return compiled;
  }

  async #compile(subject: SchemaSubject, side: Side, source: string | object): Promise<CompiledSchema> {
    try {
      const schema = typeof source === 'string' ? await readSchema(source, subject.bundle) : source;
      return await compileSchema(schema, side, this.#suggest);
    } catch (error) {
      throw schemaUnusable(subject, side, source, error);
    }
  }
}

/** The error for an answer of another shape than promised. */
export function resultInvalid(
  plugin: string,
  capability: string,
  issues: readonly FieldIssue[],
): MmmError<'RESULT_INVALID'> {
  return new MmmError(
    'RESULT_INVALID',
    `${plugin} answered ${capability} with something else than it promises: ${issuesSentence(issues)}.`,
    { plugin, method: 'execute', issues },
  );
}

async function readSchema(path: string, bundle: BundleSchemas): Promise<unknown> {
  const text = await bundle.readFile(path);
  if (text.length > hostLimits.schemaBytes) {
    throw new Error(`it is larger than ${hostLimits.schemaBytes / 1024} KiB`);
  }
  return JSON.parse(text);
}

function schemaUnusable(
  { plugin, capability }: SchemaSubject,
  side: Side,
  source: string | object,
  error: unknown,
): MmmError<'MANIFEST_INVALID'> {
  const file = typeof source === 'string' ? source : 'plugin.toml';
  const path = `capabilities.${capability.name}.${side}`;
  const reason = safeText(error instanceof Error ? error.message : String(error), 400);
  const place = typeof source === 'string' ? ` in ${file}` : '';
  const message =
    `${plugin} was not called: the ${side} schema of ${capability.name}${place} cannot be used: ${reason}. ` +
    'This is a mistake of the plugin; report it to its author.';
  const issues = [{ line: 1, column: 1, path, message: reason }];
  return new MmmError('MANIFEST_INVALID', message, { file, line: 1, column: 1, issues }, { cause: error });
}

function isShaped(kind: string): kind is ShapedKind {
  return kind in kindShapes;
}
