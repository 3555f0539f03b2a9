import { capabilitySection, parsePermissionKey, permissionKey, permissionSet, pluginName } from '@mmm/protocol';
import * as z from 'zod';

/** More than anybody lists by hand. */
const pluginsMax = 200;

const permission = z
  .string()
  .max(5000)
  .superRefine((text, context) => {
    const parsed = parsePermissionKey(text);
    if ('problem' in parsed) context.addIssue({ code: 'custom', message: 'is no permission' });
    else if (permissionKey(parsed) !== text) {
      context.addIssue({ code: 'custom', message: `must be spelt "${permissionKey(parsed)}"` });
    }
  });

const absolutePath = z.string().max(4096).startsWith('/', 'must be an absolute path');

/** `[[plugins]]` of config.toml: a plugin that is used without being installed. */
const listedPlugin = z
  .strictObject({
    name: pluginName.describe('Its name; that of a manifest must be the same.'),
    path: absolutePath.optional().describe('The folder that holds its plugin.toml.'),
    command: z
      .array(z.string().min(1).max(4096))
      .min(1)
      .max(100)
      .optional()
      .describe('Instead of a folder: a program that speaks the protocol, and its arguments.'),
    capabilities: z.array(capabilitySection).max(500).default([]).describe('What a program offers, as in a manifest.'),
    permissions: permissionSet.default({}).describe('What a program asks for, as in a manifest.'),
    grant: z
      .array(permission)
      .max(1000)
      .default([])
      .describe('Permissions granted by this entry, spelt as keys. Critical ones are asked about all the same.'),
    allow_unsigned: pluginName
      .optional()
      .describe('The name once more: it may run without a signature. Recorded in the audit log at each launch.'),
    start: z.boolean().default(false).describe('Started with the daemon, instead of at its first call.'),
  })
  .superRefine(({ name, path, command, capabilities, permissions, allow_unsigned: unsigned }, context) => {
    const wrong = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
    if ((path === undefined) === (command === undefined)) wrong('path', 'must be given, or else a command; not both');
    if (unsigned !== undefined && unsigned !== name) wrong('allow_unsigned', `must repeat the name, "${name}"`);
    if (command !== undefined && unsigned === undefined) {
      wrong('allow_unsigned', `must repeat the name, "${name}": a program without a folder cannot be signed`);
    }
    if (command !== undefined && capabilities.length === 0) wrong('capabilities', 'must say what the program offers');
    if (path !== undefined && capabilities.length > 0) wrong('capabilities', 'must be left out: its manifest has them');
    if (path !== undefined && Object.keys(permissions).length > 0) {
      wrong('permissions', 'must be left out: its manifest has them. To grant some, use grant');
    }
  });
export type ListedPluginSection = z.output<typeof listedPlugin>;

export const pluginsSection = z
  .array(listedPlugin)
  .max(pluginsMax)
  .superRefine((list, context) => {
    const names = list.map(({ name }) => name);
    names.forEach((name, index) => {
      if (names.indexOf(name) === index) return;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `is listed twice: "${name}"` });
    });
  });
