import { hostLimits } from '../limits.ts';
import { isTable, type KeyPath, type Table } from './document.ts';

/** What a JSON Schema says about one field and those below it, its references and alternatives put together. */
export interface FieldNode {
  /** Its whole value is kept apart and never shown. */
  readonly secret: boolean;
  /** Fields below that have no name in the schema are secret. */
  readonly restSecret: boolean;
  /** The schema says that it takes fields without a name in it. */
  readonly open: boolean;
  /** JSON types, as the schema names them; empty when it names none. */
  readonly types: readonly string[];
  readonly choices: readonly unknown[] | undefined;
  readonly description: string | undefined;
  /** Present when the schema has one; `value` may be null. */
  readonly default: { readonly value: unknown } | undefined;
  readonly required: ReadonlySet<string>;
  readonly fields: ReadonlyMap<string, FieldNode>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Draft extends Mutable<Omit<FieldNode, 'required' | 'fields'>> {
  readonly required: Set<string>;
  readonly fields: Map<string, Draft>;
}

/** Of any one of them that may apply: what is secret in one is secret. */
const alternatives = ['anyOf', 'oneOf', 'if', 'then', 'else', 'not'];
/** Their values have no name that a key could have. */
const insideOf = ['items', 'prefixItems', 'contains', 'unevaluatedItems', 'contentSchema'];
const unnamed = ['additionalProperties', 'patternProperties', 'unevaluatedProperties'];

/**
 * Reads the fields out of a schema that was accepted. When it cannot be told what is secret (a reference to itself, or
 * one that is not to a place in the document), more is taken for secret, never less. Throws an Error with a sentence
 * for a schema whose references multiply without end.
 */
export function fieldTree(schema: unknown): FieldNode {
  return new TreeReader(schema).read();
}

/** Whether the value at this place, or any of it, is secret. */
export function isSecretAt(node: FieldNode, [name, ...rest]: KeyPath): boolean {
  if (node.secret) return true;
  if (name === undefined) return node.restSecret || [...node.fields.values()].some((field) => isSecretAt(field, []));
  const field = node.fields.get(name);
  return field === undefined ? node.restSecret : isSecretAt(field, rest);
}

export function nodeAt(node: FieldNode, [name, ...rest]: KeyPath): FieldNode | undefined {
  if (name === undefined) return node;
  const field = node.fields.get(name);
  return field === undefined ? undefined : nodeAt(field, rest);
}

class TreeReader {
  readonly #document: unknown;
  readonly #documentHasSecret: boolean;
  #steps = 0;

  constructor(document: unknown) {
    this.#document = document;
    this.#documentHasSecret = this.#holdsSecret(document, new Set());
  }

  read(): FieldNode {
    const root = emptyDraft();
    this.#into(root, this.#document, true, []);
    return root;
  }

  /** `certain`: it applies to every value, so that its defaults and demands do too. */
  #into(draft: Draft, schema: unknown, certain: boolean, references: readonly string[]): void {
    this.#count();
    if (!isTable(schema)) return;
    this.#describe(draft, schema, certain);
    for (const [name, part] of Object.entries(isTable(schema.properties) ? schema.properties : {})) {
      // No key can name it, and assigning it would change what an object is.
      if (name === '__proto__') continue;
      let field = draft.fields.get(name);
      if (field === undefined) {
        field = emptyDraft();
        draft.fields.set(name, field);
      }
      this.#into(field, part, certain, references);
    }
    for (const keyword of unnamed) {
      const part = schema[keyword];
      if (part === undefined || part === false) continue;
      draft.open = true;
      if (this.#holdsSecret(part, new Set())) draft.restSecret = true;
    }
    if (insideOf.some((keyword) => this.#holdsSecret(schema[keyword], new Set()))) draft.secret = true;
    for (const part of listOf(schema.allOf)) this.#into(draft, part, certain, references);
    for (const keyword of alternatives) {
      for (const part of listOf(schema[keyword])) this.#into(draft, part, false, references);
    }
    for (const part of Object.values(isTable(schema.dependentSchemas) ? schema.dependentSchemas : {})) {
      this.#into(draft, part, false, references);
    }
    this.#follow(draft, schema, certain, references);
  }

  #describe(draft: Draft, schema: Table, certain: boolean): void {
    const { format, type, description, title } = schema;
    if (format === 'secret') draft.secret = true;
    if (typeof description === 'string') draft.description ??= description;
    if (typeof title === 'string') draft.description ??= title;
    if (Array.isArray(schema.enum)) draft.choices ??= schema.enum;
    if (!certain) return;
    if (draft.types.length === 0) draft.types = listOf(type).filter((name) => typeof name === 'string');
    if (Object.hasOwn(schema, 'default')) draft.default ??= { value: schema.default };
    for (const name of listOf(schema.required)) if (typeof name === 'string') draft.required.add(name);
  }

  #follow(draft: Draft, schema: Table, certain: boolean, references: readonly string[]): void {
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef']) {
      const reference = schema[keyword];
      if (typeof reference !== 'string') continue;
      const target = this.#target(reference);
      if (target === undefined || references.includes(reference)) draft.secret ||= this.#documentHasSecret;
      else this.#into(draft, target, certain, [...references, reference]);
    }
  }

  #target(reference: string): unknown {
    if (reference !== '#' && !reference.startsWith('#/')) return undefined;
    let found: unknown = this.#document;
    for (const part of reference.split('/').slice(1)) {
      const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
      found = (found as Table)[name];
    }
    return found;
  }

  #holdsSecret(part: unknown, seen: Set<unknown>): boolean {
    if (typeof part !== 'object' || part === null || seen.has(part)) return false;
    this.#count();
    seen.add(part);
    if (isTable(part)) {
      if (part.format === 'secret') return true;
      for (const reference of [part.$ref, part.$dynamicRef, part.$recursiveRef]) {
        if (typeof reference !== 'string') continue;
        const target = this.#target(reference);
        // What cannot be looked up is somewhere in the document; where, is not known.
        if (this.#holdsSecret(target ?? this.#document, seen)) return true;
      }
    }
    return Object.values(part).some((inner) => this.#holdsSecret(inner, seen));
  }

  #count(): void {
    this.#steps += 1;
    if (this.#steps > hostLimits.schemaNodes * 5) throw new Error('its references multiply without end');
  }
}

function emptyDraft(): Draft {
  return {
    secret: false,
    restSecret: false,
    open: false,
    types: [],
    choices: undefined,
    description: undefined,
    default: undefined,
    required: new Set(),
    fields: new Map(),
  };
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
