import { MmmError } from '@mmm/protocol';
import type { Mapping } from './mappings/mapping.ts';
import { suggest } from './source/suggest.ts';

/** In one line, as the file says it: `timer cron {"expression":"* * * * *"}` or `Note note=1`. */
export function describeTrigger({ settings: { trigger } }: Mapping): string {
  const { type, instance, plugin, trigger: name, config, source, where, ...fields } = trigger;
  const words = [
    ...(plugin === undefined ? [] : [plugin, ...(name === undefined ? [] : [name])]),
    ...(instance === undefined ? [] : [`instance ${instance}`]),
    ...(config === undefined ? [] : [JSON.stringify(config)]),
    ...(type === undefined ? [] : [type]),
    ...(source === undefined ? [] : [`source=${source}`]),
    ...Object.entries({ ...fields, ...where }).map(([key, value]) => `${key}=${text(value)}`),
  ];
  return words.join(' ');
}

/** `http_request http_request`, or `mode Live`. */
export function describeAction({ settings: { action } }: Mapping): string {
  if (action.mode !== undefined) return `mode ${action.mode}`;
  return [action.plugin, ...(action.capability === undefined ? [] : [action.capability])].join(' ');
}

function text(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** For a mapping or a mode that is not there. */
export function unknownName(what: string, name: string, known: readonly string[]): MmmError<'CONFIG_INVALID'> {
  const near = suggest(name, known);
  const hint = near === undefined ? `There are: ${known.join(', ') || 'none'}.` : `Did you mean "${near}"?`;
  const message = `There is no ${what} "${name}" in config.toml. ${hint}`;
  return new MmmError('CONFIG_INVALID', message, {
    file: 'mappings',
    issues: [{ path: what, message: 'is not there' }],
  });
}
