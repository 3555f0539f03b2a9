import { type FieldIssue, wireLimits } from '@mmm/protocol';
import type { Ajv2020, ErrorObject, KeywordCxt, ValidateFunction } from 'ajv/dist/2020.js';
import { hostLimits } from '../limits.ts';
import { ajvIssues, type Suggest } from './field-issues.ts';

/** A JSON Schema that was accepted. Checks in bounded time and gives no issues for a value that matches. */
export type CompiledSchema = (value: unknown) => readonly FieldIssue[];

/** Thrown inside a validation that asked for more steps than it may take. */
class TooManySteps extends Error {}

/** What one validation may still spend. Validation is synchronous, so one counter serves a compiled schema. */
interface Budget {
  steps: number;
  spend(steps: number): void;
}

/** The libraries take 50 ms to load and compile their own schema, so they are loaded with the first foreign schema. */
async function load() {
  const [ajv, formats, re2] = await Promise.all([import('ajv/dist/2020.js'), import('ajv-formats'), import('re2js')]);
  const options = { strict: false, logger: false } as const;
  return { ajv, formats: formats.default.default, RE2JS: re2.RE2JS, meta: new ajv.Ajv2020(options) };
}
type Libraries = Awaited<ReturnType<typeof load>>;
let libraries: Promise<Libraries> | undefined;

/**
 * Accepts a JSON Schema (draft 2020-12, whatever `$schema` says) that a stranger wrote. It is bounded in size and
 * depth, reads nothing but itself, and cannot make a later check take long: patterns run in linear time, and
 * references, patterns and loops over a value are counted. Throws an Error with a sentence when it is refused.
 * `root` is the first word of the path of every issue; there is none when it is empty.
 */
export async function compileSchema(schema: unknown, root: string, suggest?: Suggest): Promise<CompiledSchema> {
  libraries ??= load();
  const { ajv, formats, RE2JS, meta } = await libraries;
  const own = measured(schema);
  if (meta.validateSchema(own) !== true) {
    const [issue] = meta.errors ?? [];
    throw new Error(`it is not a JSON Schema: ${issue?.instancePath || 'the schema'} ${issue?.message ?? ''}`.trim());
  }
  const budget = budgetOf(hostLimits.validationSteps);
  const make = (allErrors: boolean): ValidateFunction => {
    const instance = new ajv.Ajv2020({
      // One instance a schema: an `$id` of one plugin must not be seen by another.
      meta: false,
      validateSchema: false,
      strict: false,
      logger: false,
      allErrors,
      verbose: true,
      // `constructor` is a property of an object only when somebody put it there.
      ownProperties: true,
      // Inlining could make the code exponentially larger than the schema.
      inlineRefs: false,
      code: { regExp: linearRegExp(RE2JS, budget) },
    });
    boundedFormats(instance, formats);
    countSteps(instance, ajv._, budget, countNodes(own));
    return instance.compile(own);
  };
  const first = make(false);
  let all: ValidateFunction | undefined;
  return (value) => {
    const found = run(first, value, budget, root);
    if (found === undefined) return [];
    if (!('errors' in found)) return [found.issue];
    // Only a value that is wrong pays for a list, and one too large to list gets its first wrong field.
    all ??= make(true);
    const listed = isSmall(value) ? run(all, value, budget, root) : undefined;
    return ajvIssues(root, listed !== undefined && 'errors' in listed ? listed.errors : found.errors, suggest);
  };
}

type Found = { readonly errors: readonly ErrorObject[] } | { readonly issue: FieldIssue } | undefined;

function run(validate: ValidateFunction, value: unknown, budget: Budget, root: string): Found {
  budget.steps = hostLimits.validationSteps;
  try {
    return validate(value) === true ? undefined : { errors: validate.errors ?? [] };
  } catch (error) {
    if (error instanceof TooManySteps) return { issue: { path: root, message: 'takes too long to check' } };
    if (error instanceof RangeError) return { issue: { path: root, message: 'is nested too deeply' } };
    throw error;
  }
}

/** A copy that is within the limits and claims no draft. Throws when it is not. */
function measured(schema: unknown): object | boolean {
  if (typeof schema === 'boolean') return schema;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new Error('it is not a JSON Schema: it must be an object, true or false');
  }
  let nodes = 0;
  const visit = (value: unknown, depth: number): void => {
    if (depth > wireLimits.depth) throw new Error(`it is nested more than ${wireLimits.depth} levels deep`);
    if (++nodes > hostLimits.schemaNodes) throw new Error(`it has more than ${hostLimits.schemaNodes} values`);
    if (typeof value !== 'object' || value === null) return;
    if ('$async' in value) throw new Error('it uses $async, which is not JSON Schema');
    for (const part of Object.values(value)) visit(part, depth + 1);
  };
  visit(schema, 1);
  const copy: Record<string, unknown> = { ...schema };
  // Drafts 7 and 2019-09 differ in little that is used; the validator refuses a draft it does not know.
  delete copy.$schema;
  return copy;
}

function budgetOf(steps: number): Budget {
  const budget: Budget = {
    steps,
    spend: (count) => {
      budget.steps -= count;
      if (budget.steps < 0) throw new TooManySteps();
    },
  };
  return budget;
}

/** Matching with `new RegExp` is exponential in a pattern's hands: `^(a+)+$` blocks the host on thirty characters. */
function linearRegExp(RE2JS: Libraries['RE2JS'], budget: Budget) {
  const compile = (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    // Linear in the text, but each character can cost as much as the pattern is large.
    const stepsPerCharacter = compiled.programSize() / 8;
    return {
      test: (text: string): boolean => {
        budget.spend(Math.ceil(text.length * stepsPerCharacter));
        return compiled.test(text);
      },
      // The validator tells patterns apart by this.
      toString: () => pattern,
    };
  };
  return Object.assign(compile, { code: 'linearRegExp' });
}

/** Formats without an expression, or with a linear one on content that is long by nature. */
const anyLength = new Set(['byte', 'binary', 'password', 'int32', 'int64', 'float', 'double']);

function boundedFormats(instance: Ajv2020, formats: Libraries['formats']): void {
  formats(instance);
  // Shown as a password field and kept apart; as a value it is any text.
  instance.addFormat('secret', true);
  for (const [name, format] of Object.entries(instance.formats)) {
    if (anyLength.has(name) || format === undefined || format === true) continue;
    const check = typeof format === 'object' && 'validate' in format ? format.validate : format;
    if (typeof check !== 'function' && !(check instanceof RegExp)) continue;
    const matches = (text: string): boolean =>
      check instanceof RegExp ? check.test(text) : (check as (text: string) => boolean)(text);
    instance.addFormat(name, (text) => text.length <= hostLimits.formatChars && matches(text));
  }
}

/** Keywords that look at every item, property or character of a value. */
const loops = [
  'items',
  'contains',
  'additionalProperties',
  'patternProperties',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
  'minProperties',
  'maxProperties',
  'minLength',
  'maxLength',
];
/** Keywords that jump. References are the one way in which a small schema can ask for exponential work. */
const jumps = ['$ref', '$dynamicRef', '$recursiveRef'];

/** Makes the generated code spend the budget before each jump and each loop. */
function countSteps(instance: Ajv2020, _: Libraries['ajv']['_'], budget: Budget, schemaNodes: number): void {
  const stepsPerJump = Math.max(10, Math.ceil(schemaNodes / 16));
  const spendOn = (value: unknown, weight: number): void => {
    if (typeof value === 'string') budget.spend(Math.ceil(value.length / 64));
    if (typeof value !== 'object' || value === null) return;
    budget.spend((Array.isArray(value) ? value.length : Object.keys(value).length) * weight);
  };
  const before = (keyword: string, charge: (context: KeywordCxt) => void): void => {
    const rule = instance.RULES.all[keyword];
    if (typeof rule !== 'object' || !('code' in rule.definition)) return;
    const { definition } = rule;
    const { code } = definition;
    definition.code = (context, ruleType) => {
      charge(context);
      code.call(definition, context, ruleType);
    };
  };
  for (const keyword of jumps) {
    before(keyword, ({ gen }) => {
      const spend = gen.scopeValue('func', { ref: budget.spend });
      gen.code(_`${spend}(${stepsPerJump})`);
    });
  }
  for (const keyword of loops) {
    before(keyword, ({ gen, data, schema }) => {
      const spend = gen.scopeValue('func', { ref: spendOn });
      gen.code(_`${spend}(${data}, ${countNodes(schema)})`);
    });
  }
  linearUniqueItems(instance, spendOn);
}

/** The validator's own compares every item with every other one. */
function linearUniqueItems(instance: Ajv2020, spendOn: (value: unknown, weight: number) => void): void {
  instance.removeKeyword('uniqueItems');
  instance.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not repeat an item' },
    validate: (unique: boolean, items: readonly unknown[]): boolean => {
      if (!unique) return true;
      spendOn(items, 10);
      const seen = new Set<unknown>();
      for (const item of items) seen.add(typeof item === 'object' && item !== null ? canonical(item) : primitive(item));
      return seen.size === items.length;
    },
  });
}

/** Apart from what `canonical` makes of objects. */
function primitive(item: unknown): unknown {
  return typeof item === 'string' ? `"${item}` : item;
}

/** Equal for values that JSON calls equal: the order of properties does not count. */
function canonical(item: object): string {
  return JSON.stringify(item, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
      : value,
  );
}

function countNodes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, part) => sum + countNodes(part), 1);
}

/** Few enough values that listing every wrong one costs nothing. */
function isSmall(value: unknown): boolean {
  let left = 1_000;
  const visit = (part: unknown, depth: number): boolean => {
    if (--left < 0 || depth > wireLimits.depth) return false;
    if (typeof part !== 'object' || part === null) return true;
    return Object.values(part).every((inner) => visit(inner, depth + 1));
  };
  return visit(value, 0);
}
