import * as z from 'zod';

/** The part of JSON Schema that zod's schemas of this project turn into. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
}

export const dialect = 'https://json-schema.org/draft/2020-12/schema';

/** What a sender may write: fields with a default may be left out. Shapes with a name end up in `shapes`. */
export function jsonSchemaOf(schema: z.ZodType, shapes: Map<string, JsonSchema>): JsonSchema {
  const { $schema: _, $defs = {}, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  for (const [name, shape] of Object.entries($defs)) shapes.set(name, shape as JsonSchema);
  return rest as JsonSchema;
}

/** A JSON file as biome and editors leave it alone: two spaces, a newline at the end. */
export function jsonFile(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
