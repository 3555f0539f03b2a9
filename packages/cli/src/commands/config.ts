import type { ConfigField, ConfigReport, HostClient, PluginConfig } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { type Io, readHidden, readStdin } from '../io.ts';
import { withHost } from '../open-host.ts';
import { exitCodes, note, print, table } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

/** The host refuses configurations that are larger; this bounds what is read for one. */
const stdinBytesMax = 1024 * 1024;

/** `mmm plugin config get|set|unset|edit`. No secret is ever printed. */
export function addConfigCommands(plugin: Command, registry: Registry): void {
  const config = plugin.command('config').description('see and change how a plugin is configured');
  withGlobals(config.command('get'))
    .description('print the configuration in force, or one field of it; secrets are not shown')
    .argument('<plugin>', 'its name')
    .argument('[key]', 'names joined by dots, such as server.port')
    .action((id: string, key: string | undefined, options) =>
      registry.select((io) => {
        return withHost(io, options, async (host) => {
          const shown = await host.config(id);
          if (key === undefined) {
            print(io, options, configDocument(id, shown), configText(id, shown));
            return exitCodes.ok;
          }
          const fields = await fieldsAt(id, shown, key);
          const [only] = fields;
          const text = fields.length === 1 && only?.key === key ? valueText(only) : fieldsText(fields);
          print(io, options, { id, fields: fields.map(fieldDocument) }, text);
          return exitCodes.ok;
        });
      }, options),
    );
  addSet(config, registry);
  withGlobals(config.command('unset'))
    .description('go back to the default of fields, and forget secrets')
    .argument('<plugin>', 'its name')
    .argument('<key...>', 'fields, such as server.port')
    .action((id: string, keys: string[], options) =>
      registry.select((io) => {
        return withHost(io, options, async (host) => {
          const report = await host.setConfig(id, { unset: keys });
          print(io, options, reportDocument(id, report), reportText(`Unset of ${id}: ${keys.join(', ')}`, id, report));
          return exitCodes.ok;
        });
      }, options),
    );
  withGlobals(config.command('edit'))
    .description('change the configuration, without its secrets, in the editor that VISUAL or EDITOR names')
    .argument('<plugin>', 'its name')
    .action((id: string, options) =>
      registry.select((io) => {
        return withHost(io, options, async (host) => {
          const { editConfig } = await import('./config-edit.ts');
          const report = await editConfig(io, options, host, id);
          if (report === undefined) print(io, options, { id, changed: false }, 'Nothing was changed.');
          else
            print(
              io,
              options,
              { ...reportDocument(id, report), changed: true },
              reportText(`Changed ${id}`, id, report),
            );
          return exitCodes.ok;
        });
      }, options),
    );
}

function addSet(config: Command, registry: Registry): void {
  withGlobals(config.command('set'))
    .description('set fields, all of them or none; a secret is read from standard input: set <plugin> <key> -')
    .argument('<plugin>', 'its name')
    .argument('<key-value...>', 'a key and its value, as often as needed; - for the value reads it from standard input')
    .option('--string', 'take every value as text, also when it looks like JSON')
    .option('--json-value', 'take every value as JSON, and refuse what is none')
    .action((id: string, words: string[], options) =>
      registry.select((io) => {
        return withHost(io, options, async (host) => {
          const pairs = pairsOf(id, words);
          const given = await readPairs(io, pairs);
          const report = await setPairs(host, id, pairs, given, options);
          const keys = pairs.map(([key]) => key).join(', ');
          print(io, options, reportDocument(id, report), reportText(`Set of ${id}: ${keys}`, id, report));
          if (options.json !== true) for (const { path, message } of report.issues) note(io, `${path} ${message}`);
          return exitCodes.ok;
        });
      }, options),
    );
}

type Pair = readonly [key: string, value: string];

function pairsOf(id: string, words: readonly string[]): readonly Pair[] {
  const usage = (message: string, argument: string): never => {
    throw new MmmError('USAGE', message, { argument });
  };
  const pairs: Pair[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const [key = '', value] = words.slice(at, at + 2);
    if (value === undefined) {
      return usage(`"${safeText(key, 80)}" has no value. Give one, or - to read it from standard input.`, key);
    }
    if (pairs.some(([other]) => other === key)) return usage(`"${safeText(key, 80)}" is given twice.`, key);
    pairs.push([key, value]);
  }
  if (pairs.filter(([, value]) => value === '-').length > 1) {
    return usage(
      `Only one value can be read from standard input. Run: mmm plugin config set ${id} KEY - for each.`,
      '-',
    );
  }
  return pairs;
}

/** The values as text, that of `-` from standard input without the line end that `echo` adds. */
async function readPairs(io: Io, pairs: readonly Pair[]): Promise<ReadonlyMap<string, string>> {
  const given = new Map(pairs);
  for (const [key, value] of pairs) {
    if (value !== '-') continue;
    try {
      const typed = await readHidden(io, `Value of ${safeText(key, 80)} (not shown): `);
      given.set(key, typed ?? (await readStdin(io, stdinBytesMax)).replace(/\r?\n$/, ''));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new MmmError('USAGE', `The value of ${safeText(key, 80)} cannot be read: ${reason}.`, { argument: '-' });
    }
  }
  return given;
}

async function setPairs(
  host: HostClient,
  id: string,
  pairs: readonly Pair[],
  given: ReadonlyMap<string, string>,
  options: { readonly string?: boolean; readonly jsonValue?: boolean },
): Promise<ConfigReport> {
  const { fields } = await host.config(id);
  const values = [...given].map(([key, text]): [string, unknown] => {
    const field = fields.find((candidate) => candidate.key === key);
    return [key, parseValue(key, text, field, options)];
  });
  return await host.setConfig(id, {
    set: Object.fromEntries(values),
    visible: pairs.filter(([, value]) => value !== '-').map(([key]) => key),
  });
}

/** Text for a field that takes nothing else; otherwise JSON, and text when it is none. */
function parseValue(
  key: string,
  text: string,
  field: ConfigField | undefined,
  options: { readonly string?: boolean; readonly jsonValue?: boolean },
): unknown {
  const isText = field?.types.length === 1 && field.types[0] === 'string';
  if (options.string === true || (isText && options.jsonValue !== true)) return text;
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote the value, which may be a secret.
    if (options.jsonValue !== true) return text;
    throw new MmmError('USAGE', `The value of ${safeText(key, 80)} is not JSON.`, { argument: key });
  }
}

async function fieldsAt(id: string, { fields }: PluginConfig, key: string): Promise<readonly ConfigField[]> {
  const found = fields.filter((field) => field.key === key || field.key.startsWith(`${key}.`));
  if (found.length > 0) return found;
  const { suggest } = await import('@mmm/host');
  const near = suggest(
    key,
    fields.map((field) => field.key),
  );
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  const issues = [{ path: safeText(key, 200), message: 'is not a known field' }];
  const message = `${id} has no configuration field "${safeText(key, 200)}".${hint}`;
  throw new MmmError('CONFIG_INVALID', message, { file: '', plugin: id, issues });
}

/** The stable keys of `--json`. */
export function configDocument(id: string, shown: PluginConfig): Record<string, unknown> {
  const { configurable, config, fields, issues } = shown;
  return { id, configurable, config, fields: fields.map(fieldDocument), issues };
}

function reportDocument(id: string, report: ConfigReport): Record<string, unknown> {
  return { ...configDocument(id, report), applied: report.applied };
}

function fieldDocument(field: ConfigField): Record<string, unknown> {
  const { key, types, choices, description, required, secret, value, default: fallback, from } = field;
  return { key, types, choices, description, required, secret, value, default: fallback, from };
}

function configText(id: string, { configurable, fields, issues }: PluginConfig): string {
  if (!configurable && fields.length === 0) return `${id} has nothing to configure.`;
  const missing = issues.map(({ path, message }) => `Will not start: ${safeText(path)} ${safeText(message)}.`);
  return [fieldsText(fields), ...missing].join('\n');
}

/** The state of a configuration in a few lines, for `mmm plugin info`. */
export function configSummary(id: string, shown: PluginConfig): string[] {
  const { configurable, fields, issues } = shown;
  const problems = issues.map(({ path, message }) => `  will not start: ${safeText(path)} ${safeText(message, 400)}`);
  if (!configurable) return [fields.length === 0 ? '  none' : '  its own defaults, nothing to set', ...problems];
  const byUser = fields.filter(({ from }) => from === 'user').map(({ key }) => safeText(key, 80));
  return [
    `  ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}, set: ${byUser.join(', ') || 'none'}`,
    ...problems,
    `  more with: mmm plugin config get ${id}`,
  ];
}

function fieldsText(fields: readonly ConfigField[]): string {
  return table([
    ['KEY', 'VALUE', 'FROM', 'TYPE', 'DEFAULT', 'DESCRIPTION'],
    ...fields.map((field) => [
      safeText(field.key, 80),
      field.from === 'unset' ? '-' : safeText(jsonText(field.value), 60),
      field.from === 'unset' && field.required ? 'missing' : field.from,
      field.secret ? 'secret' : safeText(field.types.join(' or '), 40) || '-',
      field.default === null ? '-' : safeText(jsonText(field.default), 40),
      safeText(field.description ?? '', 100),
    ]),
  ]);
}

/** One value alone: text as it is, so that a script can use it. */
function valueText(field: ConfigField): string {
  if (field.from === 'unset') return '';
  return typeof field.value === 'string' ? field.value : jsonText(field.value);
}

function jsonText(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

function reportText(title: string, id: string, { applied, issues }: ConfigReport): string {
  const how = {
    stored: '',
    configured: ' It took the change over.',
    restarted: ' It was restarted with it.',
  }[applied];
  const missing = issues.length === 0 ? '' : `\n${id} will not start before the rest is set.`;
  return `${safeText(title, 400)}.${how}${missing}`;
}
