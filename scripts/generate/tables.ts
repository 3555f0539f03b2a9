import type { JsonSchema } from './json-schema.ts';

/** A Markdown table. Cells may hold anything; what would end a cell is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** One row for each field, those of objects inside with their whole path: field, type, meaning. */
export function fieldRows(schema: JsonSchema, path = ''): string[][] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const whole = path === '' ? name : `${path}.${name}`;
    const optional = required.has(name) ? '' : '?';
    const row = [`\`${whole}${optional}\``, typeText(field), meaning(field)];
    if (field.properties !== undefined) return [row, ...fieldRows(field, whole)];
    if (field.items?.properties !== undefined) return [row, ...fieldRows(field.items, `${whole}[]`)];
    return [row];
  });
}

/** A type in words: `string`, `integer, 0 to 127`, `"read" or "write"`, a link to a named shape. */
export function typeText(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return linkToShape(schema.$ref);
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(compact).join(' or ');
  if (schema.type === 'array') return `array of ${itemText(schema.items ?? {})}${bounds(schema)}`;
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? ['any JSON']);
  return `${types.join(' or ')}${bounds(schema)}`;
}

/** Without bounds of its own: those of the array follow it. */
function itemText(schema: JsonSchema): string {
  return typeText(typeof schema.type === 'string' && schema.enum === undefined ? { type: schema.type } : schema);
}

/** A type on one line, objects as `{a, b?}`: for unions and for the table of kinds. */
export function compact(schema: JsonSchema): string {
  if (schema.properties === undefined || Object.keys(schema.properties).length === 0) {
    return schema.type === 'object' ? '`{}`' : typeText(schema);
  }
  return `\`${compactObject(schema)}\``;
}

function compactObject(schema: JsonSchema): string {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const optional = required.has(name) ? '' : '?';
    return field.type === 'array'
      ? `${name}${compactItems(field)}${optional}`
      : `${name}${optional}${compactValue(field)}`;
  });
  return `{${fields.join(', ')}}`;
}

function compactValue(field: JsonSchema): string {
  if (field.const !== undefined) return `: ${JSON.stringify(field.const)}`;
  if (field.enum !== undefined) return `: ${field.enum.map((value) => JSON.stringify(value)).join(' | ')}`;
  return '';
}

function compactItems({ items }: JsonSchema): string {
  return items?.properties === undefined ? '[]' : `[${compactObject(items)}]`;
}

function meaning(schema: JsonSchema): string {
  const parts = schema.description === undefined ? [] : [schema.description];
  const isPlain = schema.default !== null && typeof schema.default !== 'object';
  if (schema.default !== undefined && isPlain) parts.push(`Default \`${JSON.stringify(schema.default)}\`.`);
  if (Array.isArray(schema.default) && schema.default.length > 0) {
    parts.push(`Default \`${JSON.stringify(schema.default)}\`.`);
  }
  return parts.join(' ');
}

function linkToShape(reference: string): string {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  return `[${name}](#${name.toLowerCase()})`;
}

/** Bounds that a person chose. Those of every safe integer say nothing. */
function bounds(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum, maxLength, minItems, maxItems } = schema;
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  const parts: string[] = [];
  if (low !== undefined && high !== undefined) parts.push(`${low} to ${high}`);
  else if (low !== undefined) parts.push(`at least ${low}`);
  if (exclusiveMinimum !== undefined) parts.push(`over ${exclusiveMinimum}`);
  if (low === undefined && high !== undefined) parts.push(`at most ${high}`);
  if (maxLength !== undefined) parts.push(`at most ${maxLength} characters`);
  if (minItems !== undefined) parts.push(`at least ${minItems} of them`);
  if (maxItems !== undefined) parts.push(`at most ${maxItems} of them`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
