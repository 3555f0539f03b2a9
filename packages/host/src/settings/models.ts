import * as z from 'zod';

const provider = z
  .string()
  .regex(
    /^[a-z][a-z0-9_/-]*(?::[^\s:]{1,128})?$/,
    'must be the name of a plugin, or `plugin:capability` where it has several models',
  );

/** `[models]` of config.toml: which plugin answers requests to a language model. */
export const modelsSection = z.strictObject({
  default: provider
    .optional()
    .describe('Who answers when a request names no model: `plugin` or `plugin:capability`. Default: the only one.'),
  routes: z
    .record(z.string().min(1).max(200), provider)
    .default({})
    .describe('Who answers for a model that a request names in `options.model`; a trailing `*` stands for anything.'),
});
export type ModelsSection = z.output<typeof modelsSection>;

/** The provider that the settings name for a model: an exact name before the longest beginning. */
export function routeOf(model: string | undefined, section: ModelsSection | undefined): string | undefined {
  if (model === undefined || section === undefined) return section?.default;
  if (Object.hasOwn(section.routes, model)) return section.routes[model];
  const beginnings = Object.keys(section.routes)
    .filter((pattern) => pattern.endsWith('*') && model.startsWith(pattern.slice(0, -1)))
    .sort((one, other) => other.length - one.length);
  const [longest] = beginnings;
  return longest === undefined ? section.default : section.routes[longest];
}
