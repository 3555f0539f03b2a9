import { type CapabilitySection, type FieldIssue, kindShapes, MmmError, type ShapedKind } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import { hostLimits } from '../limits.ts';
import { issuesSentence, type Suggest, zodIssues } from '../schema/field-issues.ts';
import { type CompiledSchema, compileSchema } from '../schema/json-schema.ts';

/** Which half of a call is checked; also the first word of the path of every issue. */
type Side = 'input' | 'output';

/** Where the schemas of one bundle come from. */
export interface BundleSchemas {
  /** Identity of the content: two bundles with the same key have the same files. */
  readonly key: string;
  /** The text of a file of the bundle, by the path the manifest gives. */
  readFile(path: string): string | Promise<string>;
}

/** A schema that is being compiled, or has been. */
interface Compiling {
  readonly promise: Promise<CompiledSchema>;
  ready: CompiledSchema | undefined;
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
  readonly #compiled = new Map<string, Compiling>();

  readonly #keys = new WeakMap<CapabilitySection, { readonly bundle: string } & Readonly<Record<Side, string>>>();

  constructor(options: { readonly suggest?: Suggest } = {}) {
    this.#suggest = options.suggest;
  }

  /**
   * The input as the plugin gets it: with the defaults of its kind filled in, and `{}` for none. Throws INPUT_INVALID,
   * which names every wrong field, and MANIFEST_INVALID when the schema itself is unusable.
   */
  async input(subject: SchemaSubject, input: unknown): Promise<unknown> {
    return this.inputNow(subject, input);
  }

  /** The output, unchanged. Throws RESULT_INVALID, which names the wrong fields. */
  async output(subject: SchemaSubject, output: unknown): Promise<unknown> {
    return this.outputNow(subject, output);
  }

  /** As `input`, but with a promise only when a schema has to be compiled first: most calls need not wait a turn. */
  inputNow(subject: SchemaSubject, input: unknown): unknown {
    return this.#check(subject, 'input', input === undefined ? {} : input);
  }

  /** As `output`, but with a promise only when a schema has to be compiled first. */
  outputNow(subject: SchemaSubject, output: unknown): unknown {
    return this.#check(subject, 'output', output);
  }

  #check(subject: SchemaSubject, side: Side, given: unknown): unknown {
    const { capability } = subject;
    let value = given;
    if (isShaped(capability.kind)) {
      const parsed = kindShapes[capability.kind][side].safeParse(given);
      if (!parsed.success) throw invalid(subject, side, zodIssues(side, parsed.error, given));
      value = parsed.data;
    }
    // The plugin gets the defaults of the kind; the caller gets what the plugin said.
    const result = side === 'input' ? value : given;
    const source = capability[side];
    if (source === undefined) return result;
    const finish = (compiled: CompiledSchema): unknown => {
      const issues = compiled(value);
      if (issues.length > 0) throw invalid(subject, side, issues);
      return result;
    };
    const compiled = this.#schema(subject, side, source);
    return compiled instanceof Promise ? compiled.then(finish) : finish(compiled);
  }

  #schema(subject: SchemaSubject, side: Side, source: string | object): CompiledSchema | Promise<CompiledSchema> {
    const key = this.#key(subject, side);
    const known = this.#compiled.get(key);
    if (known !== undefined) {
      this.#compiled.delete(key);
      this.#compiled.set(key, known);
      return known.ready ?? known.promise;
    }
    const compiling: Compiling = { promise: this.#compile(subject, side, source), ready: undefined };
    this.#compiled.set(key, compiling);
    compiling.promise.then(
      (schema) => {
        compiling.ready = schema;
      },
      // A file that could not be read now may be readable at the next call.
      () => this.#compiled.delete(key),
    );
    for (const oldest of this.#compiled.keys()) {
      if (this.#compiled.size <= hostLimits.compiledSchemas) break;
      this.#compiled.delete(oldest);
    }
    return compiling.promise;
  }

  /** Kept with the capability, because putting the text together costs more than looking it up. */
  #key({ capability, bundle }: SchemaSubject, side: Side): string {
    let keys = this.#keys.get(capability);
    if (keys?.bundle !== bundle.key) {
      const start = `${bundle.key} ${capability.kind} ${capability.name}`;
      keys = { bundle: bundle.key, input: `${start} input`, output: `${start} output` };
      this.#keys.set(capability, keys);
    }
    return keys[side];
  }

  async #compile(subject: SchemaSubject, side: Side, source: string | object): Promise<CompiledSchema> {
    try {
      const schema = typeof source === 'string' ? await readSchema(source, subject.bundle) : source;
      return await compileSchema(schema, side, this.#suggest);
    } catch (error) {
      // The plugin was refused as a whole: that is not about its schema.
      if (error instanceof MmmError) throw error;
      throw schemaUnusable(subject, side, source, error);
    }
  }
}

function invalid({ plugin, capability }: SchemaSubject, side: Side, issues: readonly FieldIssue[]): MmmError {
  const { name } = capability;
  if (side === 'output') return resultInvalid(plugin, name, issues);
  const message = `${plugin} was not called: the input of ${name} is not valid: ${issuesSentence(issues)}.`;
  return new MmmError('INPUT_INVALID', message, { plugin, capability: name, issues });
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
