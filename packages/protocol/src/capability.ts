import * as z from 'zod';
import { jsonObject } from './json.ts';

/** What a plugin can be asked for, with the shape of `execute`'s input and output by kind. */
export const capabilityKinds = [
  'command',
  'tool',
  'action',
  'integration',
  'reporter',
  'analyzer',
  'model',
  'prompt',
  'context',
  'trigger',
  'hook',
] as const;
export const capabilityKind = z.enum(capabilityKinds);
export type CapabilityKind = z.infer<typeof capabilityKind>;

/** Kinds that are never executed: triggers are polled, hooks get events. */
export const passiveKinds: ReadonlySet<CapabilityKind> = new Set<CapabilityKind>(['trigger', 'hook']);

export const capabilityRef = z.object({
  kind: capabilityKind,
  name: z.string().min(1).max(128),
});
export type CapabilityRef = z.infer<typeof capabilityRef>;

export const chatMessage = z.looseObject({ role: z.string(), content: z.unknown() });

/** Input and output of `execute` for the kinds whose shape is fixed; tool and action bring their own JSON Schema. */
export const kindShapes = {
  command: {
    input: z.object({
      args: z.array(z.string()).default([]),
      options: jsonObject.default({}),
      cwd: z.string().optional(),
    }),
    output: z.looseObject({
      exit_code: z.int().min(0).max(255),
      stdout: z.string().optional(),
      data: z.unknown().optional(),
    }),
  },
  integration: {
    input: z.looseObject({ operation: z.enum(['authenticate', 'sync']) }),
    output: z.union([
      z.looseObject({ authenticated: z.boolean() }),
      z.looseObject({
        created: z.int().min(0),
        updated: z.int().min(0),
        skipped: z.int().min(0),
        conflicts: z.array(z.unknown()),
      }),
    ]),
  },
  reporter: {
    input: z.looseObject({ data: z.unknown() }),
    output: z.looseObject({ media_type: z.string(), text: z.string() }),
  },
  analyzer: {
    input: z
      .looseObject({ paths: z.array(z.string()).optional(), data: z.unknown().optional() })
      .refine(({ paths, data }) => paths !== undefined || data !== undefined, 'must have paths or data'),
    output: z.looseObject({
      findings: z.array(
        z.looseObject({
          file: z.string(),
          line: z.int().min(0).optional(),
          severity: z.string(),
          message: z.string(),
        }),
      ),
    }),
  },
  model: {
    input: z.looseObject({
      operation: z.enum(['chat', 'is_available']),
      messages: z.array(chatMessage).optional(),
      options: jsonObject.optional(),
    }),
    output: z.union([
      z.looseObject({ message: chatMessage, usage: jsonObject.optional(), stop_reason: z.string().optional() }),
      z.looseObject({ available: z.boolean(), reason: z.string().optional() }),
    ]),
  },
  prompt: {
    input: z.looseObject({ variables: jsonObject.default({}) }),
    output: z.looseObject({ messages: z.array(chatMessage) }),
  },
  context: {
    input: z.looseObject({ query: z.string(), limit: z.int().min(1).optional() }),
    output: z.looseObject({
      items: z.array(
        z.looseObject({
          text: z.string(),
          title: z.string().optional(),
          score: z.number(),
          uri: z.string().optional(),
        }),
      ),
    }),
  },
} as const satisfies Partial<Record<CapabilityKind, { input: z.ZodType; output: z.ZodType }>>;
export type ShapedKind = keyof typeof kindShapes;
