import { type AnyMethod, hostMethods, kindShapes, manifest, pluginMethods, sharedMethods } from '@mmm/protocol';
import { dialect, type JsonSchema, jsonFile, jsonSchemaOf } from './json-schema.ts';

const folder = 'packages/protocol/schema';

/** The JSON Schemas that ship with the protocol, by path: for authors in other languages and for their editors. */
export function schemaFiles(): Map<string, string> {
  return new Map([
    [`${folder}/manifest.json`, jsonFile(manifestSchema())],
    [`${folder}/methods.json`, jsonFile(methodsSchema())],
    [`${folder}/kinds.json`, jsonFile(kindsSchema())],
  ]);
}

function manifestSchema() {
  const shapes = new Map<string, JsonSchema>();
  const schema = jsonSchemaOf(manifest, shapes);
  return {
    $schema: dialect,
    title: 'Manifest of an mmm plugin (plugin.toml, plugin.yaml)',
    ...withShapes(schema, shapes),
  };
}

/** A library of definitions: `execute_params`, `execute_result`, `cancel_params` and so on. */
function methodsSchema() {
  const shapes = new Map<string, JsonSchema>();
  const definitions: [string, JsonSchema][] = [];
  const directions: [string, Readonly<Record<string, AnyMethod>>][] = [
    ['host to plugin', pluginMethods],
    ['plugin to host', hostMethods],
    ['either way', sharedMethods],
  ];
  for (const [direction, methods] of directions) {
    for (const [key, method] of Object.entries(methods)) {
      const title = `${method.name} (${method.kind}, ${direction})`;
      definitions.push([`${key}_params`, { title, ...jsonSchemaOf(method.params, shapes) } as JsonSchema]);
      if (method.kind === 'notification') continue;
      definitions.push([
        `${key}_result`,
        { title: `Result of ${method.name}`, ...jsonSchemaOf(method.result, shapes) } as JsonSchema,
      ]);
    }
  }
  const $defs = Object.fromEntries([...shapes, ...definitions]);
  return { $schema: dialect, title: 'Params and results of every method of the mmm protocol', $defs };
}

/** `command_input`, `command_output` and so on, for the kinds whose shape is fixed. */
function kindsSchema() {
  const shapes = new Map<string, JsonSchema>();
  const definitions = Object.entries(kindShapes).flatMap(([kind, { input, output }]) => [
    [`${kind}_input`, jsonSchemaOf(input, shapes)],
    [`${kind}_output`, jsonSchemaOf(output, shapes)],
  ]);
  return {
    $schema: dialect,
    title: 'Input and output of execute by kind of capability',
    $defs: { ...Object.fromEntries(shapes), ...Object.fromEntries(definitions) },
  };
}

function withShapes(schema: JsonSchema, shapes: ReadonlyMap<string, JsonSchema>) {
  return shapes.size === 0 ? schema : { ...schema, $defs: Object.fromEntries(shapes) };
}
