import {
  type AnyMethod,
  capabilityKinds,
  hostMethods,
  hostVersion,
  kindShapes,
  manifest,
  passiveKinds,
  permissionEntries,
  permissionKinds,
  permissionSet,
  pluginMethods,
  protocolFeatures,
  servedHostMethods,
  sharedMethods,
  wireErrors,
  wireLimits,
} from '@mmm/protocol';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';
import { compact, fieldRows, table, typeText } from './tables.ts';

const marker = /<!-- generated: ([a-z-]+) -->\n[\s\S]*?<!-- end of generated -->/g;

/** The page with every generated part renewed; its prose is written by hand and stays. `limits` is limits.ts. */
export function protocolPage(page: string, limits: string): string {
  const parts = new Map<string, string>([
    ['plugin-methods', methodSections(pluginMethods)],
    ['served', servedSentence()],
    ['host-methods', methodSections(hostMethods)],
    ['shared-methods', methodSections(sharedMethods)],
    ['shapes', shapeSections()],
    ['kinds', kindTable()],
    ['errors', wireErrorTable()],
    ['limits', limitTable(limits)],
    ['features', protocolFeatures.map((name) => `\`${name}\``).join(', ')],
    ['manifest', manifestTables()],
    ['permissions', permissionTable()],
  ]);
  const seen = new Set<string>();
  const renewed = page.replace(marker, (_, name: string) => {
    const text = parts.get(name);
    if (text === undefined) throw new Error(`PROTOCOL.md has a marker "${name}" that nothing generates.`);
    seen.add(name);
    return `<!-- generated: ${name} -->\n\n${text}\n\n<!-- end of generated -->`;
  });
  const absent = [...parts.keys()].filter((name) => !seen.has(name));
  if (absent.length > 0) throw new Error(`PROTOCOL.md has no marker for ${absent.join(', ')}.`);
  return renewed;
}

function servedSentence(): string {
  const names = new Intl.ListFormat('en', { type: 'conjunction' }).format(
    servedHostMethods.map((name) => `\`${name}\``),
  );
  const others = 'Any other request of this list is answered MethodNotFound until a release serves it.';
  return `mmm ${hostVersion} serves ${names}. ${others}`;
}

function methodSections(methods: Readonly<Record<string, AnyMethod>>): string {
  return Object.values(methods).map(methodSection).join('\n\n');
}

function methodSection(method: AnyMethod): string {
  const title = `#### \`${method.name}\`${method.kind === 'notification' ? ' (notification)' : ''}`;
  const parts = [title, method.summary, fields('Params', method.params)];
  if (method.kind === 'request') parts.push(fields('Result', method.result));
  return parts.join('\n\n');
}

function fields(label: string, schema: AnyMethod['params']): string {
  const json = jsonSchemaOf(schema, new Map());
  const object = json.type === 'array' ? (json.items ?? {}) : json;
  const rows = fieldRows(object);
  if (rows.length > 0) return table([json.type === 'array' ? `${label}: array of` : label, 'Type', 'Meaning'], rows);
  if (json.anyOf !== undefined) return `${label}: ${json.anyOf.map(compact).join(' or ')}.`;
  return `${label}: ${json.type === undefined ? 'anything' : '`{}`'}.`;
}

/** The shapes that several methods share, collected from all of them. */
function shapeSections(): string {
  const shapes = new Map<string, JsonSchema>();
  for (const methods of [pluginMethods, hostMethods, sharedMethods]) {
    for (const method of Object.values(methods) as AnyMethod[]) {
      jsonSchemaOf(method.params, shapes);
      if (method.kind === 'request') jsonSchemaOf(method.result, shapes);
    }
  }
  const isOther = ([name]: readonly [string, unknown]) => name !== 'Permissions';
  return [...shapes]
    .filter(isOther)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, shape]) => {
      return [`#### ${name}`, shape.description ?? '', table(['Field', 'Type', 'Meaning'], fieldRows(shape))].join(
        '\n\n',
      );
    })
    .join('\n\n');
}

function kindTable(): string {
  const rows = capabilityKinds.map((kind) => {
    if (passiveKinds.has(kind)) return [`\`${kind}\``, 'never executed', ''];
    if (!(kind in kindShapes)) return [`\`${kind}\``, 'by its own JSON Schema', 'any JSON, by its own JSON Schema'];
    const { input, output } = kindShapes[kind as keyof typeof kindShapes];
    return [`\`${kind}\``, inputText(jsonSchemaOf(input, new Map())), inputText(jsonSchemaOf(output, new Map()))];
  });
  return table(['Kind', 'Input', 'Output'], rows);
}

function inputText(schema: JsonSchema): string {
  return schema.anyOf === undefined ? compact(schema) : schema.anyOf.map(compact).join(' or ');
}

function wireErrorTable(): string {
  const rows = Object.entries(wireErrors).map(([name, { code, kind, retryable, meaning }]) => [
    `\`${code}\``,
    name,
    `\`${kind}\``,
    retryable ? 'yes' : 'no',
    meaning,
  ]);
  return table(['Code', 'Name', '`data.kind`', '`data.retryable`', 'Meaning'], rows);
}

/** Names and numbers from the object, the reasons from the comments above them in the source. */
function limitTable(source: string): string {
  const reasons = new Map<string, string>();
  for (const [, reason = '', name = ''] of source.matchAll(/\/\*\* (.+?) \*\/\s+(\w+):/g)) reasons.set(name, reason);
  const rows = Object.entries(wireLimits).map(([name, value]) => {
    const reason = reasons.get(name);
    if (reason === undefined) throw new Error(`limits.ts gives no reason for ${name}.`);
    return [`\`${name}\``, value.toLocaleString('en-US'), reason];
  });
  return table(['Limit', 'Value', 'Reason'], rows);
}

function manifestTables(): string {
  const schema = jsonSchemaOf(manifest, new Map());
  const sections: [string, string, JsonSchema | undefined][] = [
    ['[plugin]', 'Required.', schema.properties?.plugin],
    ['[[capabilities]]', 'What the plugin can do; each is one entry.', schema.properties?.capabilities?.items],
    ['[[dependencies]]', 'Other plugins.', schema.properties?.dependencies?.items],
    ['[subscriptions]', 'Events it always gets.', schema.properties?.subscriptions],
    ['[config]', 'What a user may set.', schema.properties?.config],
    [
      '[install]',
      'A step that runs once after an installation, for what cannot be shipped ready.',
      schema.properties?.install,
    ],
    ['[limits]', 'What it may use, below the limits of the host.', schema.properties?.limits],
    ['[restart]', 'What happens after it ended.', schema.properties?.restart],
  ];
  return sections
    .map(([title, sentence, section]) => {
      return [`#### \`${title}\``, sentence, table(['Key', 'Type', 'Meaning'], fieldRows(section ?? {}))].join('\n\n');
    })
    .join('\n\n');
}

function permissionTable(): string {
  const lists = jsonSchemaOf(permissionSet, new Map()).properties ?? {};
  const rows = permissionKinds.flatMap((kind) => {
    const entry = jsonSchemaOf(permissionEntries[kind], new Map());
    const own = Object.entries(entry.properties ?? {}).filter(([name]) => name !== 'reason' && name !== 'optional');
    const list = [`\`${kind}\``, '', '', lists[kind]?.description ?? ''];
    const required = new Set(entry.required ?? []);
    const fieldsOfIt = own.map(([name, field]) => {
      return ['', `\`${name}${required.has(name) ? '' : '?'}\``, typeText(field), field.description ?? ''];
    });
    return [list, ...fieldsOfIt];
  });
  return table(['List', 'Field', 'Type', 'Meaning'], rows);
}
