import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type CapabilitySection, kindShapes, type ShapedKind } from '@mmm/protocol';
import * as z from 'zod';
import type { CapabilitySummary, InputField } from './api.ts';
import type { PluginSpec } from './discover/spec.ts';

/** Larger than any schema that can be used. */
const schemaBytesMax = 1024 * 1024;
/** As many as a person reads; a schema may have more. */
const fieldsMax = 100;

/** What a plugin can do, as its manifest and its schemas say. For showing only: what is wrong is found at a call. */
export async function capabilitySummaries(
  spec: Pick<PluginSpec, 'directory' | 'manifest'>,
): Promise<readonly CapabilitySummary[]> {
  return await Promise.all(
    spec.manifest.capabilities.map(async (capability): Promise<CapabilitySummary> => {
      const { kind, name, title, description, aliases = [] } = capability;
      const input = inputFields(await inputSchema(spec.directory, capability));
      return { kind, name, title: title ?? null, description: description ?? null, aliases, input };
    }),
  );
}

async function inputSchema(directory: string, { kind, input }: CapabilitySection): Promise<unknown> {
  if (input === undefined) return isShaped(kind) ? z.toJSONSchema(kindShapes[kind].input, { io: 'input' }) : undefined;
  return typeof input === 'string' ? await readSchema(join(directory, input)) : input;
}

function isShaped(kind: string): kind is ShapedKind {
  return Object.hasOwn(kindShapes, kind);
}

/** Without waiting on anything that only looks like a file. Undefined when it cannot be read. */
async function readSchema(file: string): Promise<unknown> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const stat = await handle.stat();
      if (!stat.isFile() || stat.size > schemaBytesMax) return undefined;
      return JSON.parse(await handle.readFile('utf8'));
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

function inputFields(schema: unknown): readonly InputField[] | null {
  if (!isObject(schema) || !isObject(schema.properties)) return null;
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties)
    .slice(0, fieldsMax)
    .map(([name, field]) => ({
      name,
      types: isObject(field) ? [field.type].flat().filter((type) => typeof type === 'string') : [],
      required: required.includes(name),
      description: isObject(field) && typeof field.description === 'string' ? field.description : null,
    }));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
