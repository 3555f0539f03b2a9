import { readFile } from 'node:fs/promises';
import { type CapabilitySection, type FieldIssue, MmmError, passiveKinds } from '@mmm/protocol';
import type { MappingProblem } from './api-mappings.ts';
import { findCapability } from './call/find-capability.ts';
import type { SchemaValidator } from './call/schema.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Mapping } from './mappings/mapping.ts';
import { reasonOf } from './mappings/runner.ts';
import { placeholderPaths } from './mappings/template.ts';
import { compileSchema } from './schema/json-schema.ts';
import type { MappingSections, TriggerSettings } from './settings/mappings.ts';
import { placeProblems, readToml } from './source/document.ts';
import { type PathPart, type Problem, pathText } from './source/problem.ts';
import { suggest } from './source/suggest.ts';

export interface MappingCheckParts {
  /** Every plugin that is known, by id. */
  readonly plugins: ReadonlyMap<string, PluginSpec>;
  isEnabled(spec: PluginSpec): boolean;
  readonly schemas: Pick<SchemaValidator, 'input'>;
  readFile(spec: PluginSpec, path: string): Promise<string>;
}

/** The capability that an action means. Throws an MmmError or an Error that says why there is none. */
export function actionCapability(spec: PluginSpec, named: string | undefined): CapabilitySection {
  if (named !== undefined) {
    const section = findCapability(spec, named, suggest);
    if (passiveKinds.has(section.kind)) throw new Error(`${named} is a ${section.kind}, which cannot be called`);
    return section;
  }
  const callable = spec.manifest.capabilities.filter(({ kind }) => !passiveKinds.has(kind));
  const actions = callable.filter(({ kind }) => kind === 'action');
  const [only, second] = actions.length > 0 ? actions : callable;
  if (only !== undefined && second === undefined) return only;
  const names = callable.map(({ name }) => name).join(', ');
  throw new Error(names === '' ? `${spec.id} has nothing to call` : `name one with capability = …: ${names}`);
}

/** The only trigger of a plugin. */
export function onlyTrigger(spec: PluginSpec | undefined): string | undefined {
  const [only, second] = triggersOf(spec);
  return second === undefined ? only : undefined;
}

function triggersOf(spec: PluginSpec | undefined): readonly string[] {
  return (spec?.manifest.capabilities ?? []).filter(({ kind }) => kind === 'trigger').map(({ name }) => name);
}

/** What is wrong with one mapping. Never throws. */
export async function mappingProblems(
  { path, settings, params }: Mapping,
  parts: MappingCheckParts,
): Promise<Problem[]> {
  const { trigger, action } = settings;
  const at = (...more: readonly PathPart[]): PathPart[] => [...path, ...more];
  const problems: Problem[] = [];
  if (trigger.plugin !== undefined) {
    const { plugin, config = {} } = trigger;
    problems.push(...(await triggerProblems(at('trigger'), { ...trigger, plugin, config }, parts)));
  }
  if (action.plugin === undefined) return problems;
  const spec = findPlugin(action.plugin, at('action', 'plugin'), parts, problems);
  if (spec === undefined) return problems;
  let section: CapabilitySection;
  try {
    section = actionCapability(spec, action.capability);
  } catch (error) {
    return [...problems, { path: at('action', 'capability'), message: reasonOf(error), at: 'value' }];
  }
  const key = `${spec.id} ${spec.manifestSha256} ${spec.directory}`;
  const bundle = { key, readFile: (file: string) => parts.readFile(spec, file) };
  try {
    await parts.schemas.input({ plugin: spec.id, capability: section, bundle }, action.params);
  } catch (error) {
    if (!MmmError.is(error, 'INPUT_INVALID')) {
      return [...problems, { path: at('action', 'plugin'), message: reasonOf(error), at: 'value' }];
    }
    const unknown = placeholderPaths(params).map((parts) => ['input', ...parts].join('.'));
    for (const issue of error.data.issues.filter((each) => isCertain(each, unknown))) {
      problems.push(problemOf(issue, 'input', at('action', 'params')));
    }
  }
  return problems;
}

/** What is wrong with an entry of `[triggers]`, or with the trigger of a mapping. Never throws. */
export async function triggerProblems(
  path: readonly PathPart[],
  { plugin, trigger, config }: TriggerSettings,
  parts: MappingCheckParts,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const spec = findPlugin(plugin, [...path, 'plugin'], parts, problems);
  if (spec === undefined) return problems;
  const known = triggersOf(spec);
  const name = trigger ?? onlyTrigger(spec);
  const section = spec.manifest.capabilities.find((each) => each.kind === 'trigger' && each.name === name);
  if (section === undefined) {
    const near = name === undefined ? undefined : suggest(name, known);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    const what = name === undefined ? 'must be given' : `names "${name}", which is no trigger of ${plugin}${hint}`;
    const all = known.length === 0 ? `${plugin} has no triggers` : `it has ${known.join(', ')}`;
    return [...problems, { path: [...path, 'trigger'], message: `${what}: ${all}`, at: 'value' }];
  }
  if (section.config === undefined) return problems;
  try {
    const { config: source } = section;
    const schema: unknown = typeof source === 'string' ? JSON.parse(await parts.readFile(spec, source)) : source;
    const check = await compileSchema(schema, 'config', suggest);
    for (const issue of check(config)) problems.push(problemOf(issue, 'config', [...path, 'config']));
  } catch (error) {
    problems.push({ path: [...path, 'plugin'], message: reasonOf(error), at: 'value' });
  }
  return problems;
}

/** Undefined, and a problem, when there is none that can be used. */
function findPlugin(
  id: string,
  path: readonly PathPart[],
  { plugins, isEnabled }: MappingCheckParts,
  problems: Problem[],
): PluginSpec | undefined {
  const spec = plugins.get(id);
  if (spec === undefined) {
    const near = suggest(id, plugins.keys());
    const hint = near === undefined ? 'install it, or take the mapping out' : `did you mean "${near}"?`;
    problems.push({ path, message: `names "${id}", which is not installed; ${hint}`, at: 'value' });
  } else if (!isEnabled(spec)) {
    problems.push({ path, message: `names "${id}", which is disabled (mmm plugin enable ${id})`, at: 'value' });
  }
  return spec;
}

/** Before there is an event nobody knows what a placeholder will be; that a field is missing or unknown is certain. */
function isCertain({ path, message }: FieldIssue, unknown: readonly string[]): boolean {
  if (/^is (?:required|not a known field)/.test(message)) return true;
  return !unknown.some((other) => other === path || other.startsWith(`${path}.`) || path.startsWith(`${other}.`));
}

function problemOf({ path, message }: FieldIssue, root: string, base: readonly PathPart[]): Problem {
  const parts = path.split('.').slice(path.startsWith(root) ? 1 : 0);
  const below = parts.map((part): PathPart => (/^\d+$/.test(part) ? Number(part) : part));
  return { path: [...base, ...below], message, at: message.startsWith('is not a known field') ? 'key' : 'value' };
}

/** With line and column, as far as the file still says what it said when it was read. */
export async function placedProblems(file: string, problems: readonly Problem[]): Promise<MappingProblem[]> {
  if (problems.length === 0) return [];
  const text = await readFile(file, 'utf8').catch(() => '');
  const reading = readToml(text);
  const unplaced = problems.map(({ path, message }) => ({ line: 1, column: 1, path: pathText(path), message }));
  if ('faults' in reading) return unplaced;
  const placed = await placeProblems(reading, problems);
  return placed.map(({ line, column, path, message }) => ({ line, column, path, message }));
}

/** Which settings a host has that say what events do. */
export function hasMappings({ triggers, modes, global_mappings: everywhere }: MappingSections): boolean {
  return triggers !== undefined || modes !== undefined || everywhere !== undefined;
}
