import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import type { ImportStatement, SourceFile, Violation } from './source-file.ts';

/** Which of our packages each one may import. Whoever is not listed may import none. */
const packageEdges: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  rpc: ['protocol'],
  bundle: ['protocol'],
  host: ['protocol', 'rpc', 'bundle'],
  'plugin-sdk': ['protocol', 'rpc'],
  registry: ['protocol', 'bundle'],
  cli: ['host', 'bundle', 'registry', 'protocol'],
  'manager-ui': ['protocol'],
};

/** The pipeline, in order: the folders of packages/host/src that are verbs. */
const stages = ['discover', 'verify', 'permit', 'sandbox', 'spawn', 'handshake', 'supervise', 'call'];

/** The files beside the folders that know several stages and put them together. Nothing below imports them. */
const wiring = new Set(
  [
    'launch',
    'install-step',
    'launch-facts',
    'host-services',
    'launch-permissions',
    'launch-uid',
    'launcher',
    'plugin',
    'host',
    'host-parts',
    'index',
    'active-bundle',
    'arguments',
    'catalog',
    'check-bundle',
    'chosen-grants',
    'configuration',
    'consents',
    'decisions',
    'overview',
    'health',
    'diagnose',
    'plugin-logs',
    'open-plugins',
    'generation',
    'reload',
    'updates',
    'host-reload',
    'rate-limits',
    'serve-metrics',
    'supervision',
    'dependency-starts',
    'close-order',
    'development',
    'doctor',
    'granted-places',
    'inspect',
    'install',
    'event-actions',
    'event-services',
    'mapping-checks',
    'mapping-services',
    'mappings-of-host',
    'mapping-trials',
    'polled-plugin',
    'minisign-report',
    'options',
    'packaging',
    'plugin-source',
    'permission-summary',
    'registered',
    'sandbox-checks',
    'run-daemon',
    'listed-plugins',
    'sign-plugin',
    'storage',
    'verify-report',
    'waiting-update',
  ].map((name) => `packages/host/src/${name}.ts`),
);
const crossesStages = new Set([...wiring, 'packages/host/src/supervise/supervisor.ts']);

const builtins = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));

/** What a package.json says it needs, by the folder of the package. */
export type DeclaredDependencies = ReadonlyMap<string, ReadonlySet<string>>;

export function importViolations(files: readonly SourceFile[], declared: DeclaredDependencies): Violation[] {
  return files.flatMap((file) => {
    return file.imports.flatMap((statement) => {
      const messages = [
        extension(statement),
        ...packageRules(file, statement, declared),
        hostRules(file, statement),
        pluginRules(file, statement, declared),
        fixtureRules(file, statement),
      ];
      return messages
        .filter((message) => message !== undefined)
        .map((message) => ({ path: file.path, line: statement.line, message }));
    });
  });
}

/** The edges that package.json files declare, which count as much as those that are used. */
export function declaredEdgeViolations(declared: DeclaredDependencies): Violation[] {
  return [...declared].flatMap(([folder, names]) => {
    const name = folder.replace(/^packages\//, '');
    const wrong = [...names].filter(
      (dependency) => dependency.startsWith('@mmm/') && !mayImport(name, dependency.slice('@mmm/'.length)),
    );
    if (!folder.startsWith('packages/')) return [];
    return wrong.map((dependency) => {
      return { path: `${folder}/package.json`, line: 1, message: `${name} must not depend on ${dependency}` };
    });
  });
}

/** Dead files: what nothing imports and nobody starts. Tests do not count, for they outlive what they test. */
export function deadFileViolations(files: readonly SourceFile[], entries: ReadonlySet<string>): Violation[] {
  const isProduct = ({ path }: SourceFile) => /^(?:packages|plugins)\/[^/]+\/src\/.*\.ts$/.test(path);
  const imported = new Set<string>();
  for (const file of files.filter(({ path }) => !path.startsWith('test/'))) {
    for (const { specifier } of file.imports) if (specifier.startsWith('.')) imported.add(resolve(file, specifier));
  }
  return files
    .filter((file) => isProduct(file) && !file.path.endsWith('.d.ts'))
    .filter(({ path }) => !imported.has(path) && !entries.has(path))
    .map(({ path }) => ({ path, line: 1, message: 'is imported by nothing but tests: use it or delete it' }));
}

function mayImport(name: string, other: string): boolean {
  return (packageEdges[name] ?? []).includes(other);
}

function extension({ specifier }: ImportStatement): string | undefined {
  if (!specifier.startsWith('.') || /\.(ts|mjs|cjs|json)$/.test(specifier)) return undefined;
  return `imports "${specifier}": relative imports end in .ts`;
}

function packageRules(file: SourceFile, statement: ImportStatement, declared: DeclaredDependencies) {
  const name = /^packages\/([^/]+)\/src\//.exec(file.path)?.[1];
  if (name === undefined) return [];
  const { specifier } = statement;
  if (specifier.startsWith('.')) {
    const isInside = resolve(file, specifier).startsWith(`packages/${name}/src/`);
    return [isInside ? undefined : `imports "${specifier}" of another package: import it by its name`];
  }
  if (builtins.has(specifier)) {
    return [specifier.startsWith('node:') ? undefined : `imports "${specifier}": write "node:${specifier}"`];
  }
  const dependency = dependencyName(specifier);
  const own = dependency.startsWith('@mmm/') ? dependency.slice('@mmm/'.length) : undefined;
  const edge =
    own === undefined || mayImport(name, own)
      ? undefined
      : `imports ${dependency}: ${name} may import ${(packageEdges[name] ?? []).join(', ') || 'none of our packages'}`;
  const isDeclared = declared.get(`packages/${name}`)?.has(dependency) ?? false;
  return [edge, isDeclared ? undefined : `imports ${dependency}, which packages/${name}/package.json does not name`];
}

function hostRules(file: SourceFile, statement: ImportStatement): string | undefined {
  const root = 'packages/host/src/';
  if (!file.path.startsWith(root) || !statement.specifier.startsWith('.')) return undefined;
  const target = resolve(file, statement.specifier);
  const from = folderBelow(root, file.path);
  const to = folderBelow(root, target);
  if (from !== undefined && wiring.has(target)) return `imports ${target}: only files beside the folders may`;
  if (to === undefined || from === to || !stages.includes(to)) return undefined;
  if (crossesStages.has(file.path)) return undefined;
  if (from === undefined) {
    return statement.isType ? undefined : `imports a value of the stage ${to}: only the files that wire stages may`;
  }
  if (!stages.includes(from)) return `imports the stage ${to}: services (${from}) know no stage`;
  if (stages.indexOf(to) > stages.indexOf(from)) return `imports the later stage ${to}: ${from} comes before it`;
  return statement.isType ? undefined : `imports a value of the stage ${to}: between stages only \`import type\``;
}

function pluginRules(file: SourceFile, { specifier }: ImportStatement, declared: DeclaredDependencies) {
  const folder = /^plugins\/[^/]+/.exec(file.path)?.[0];
  if (folder === undefined || specifier.startsWith('.') || builtins.has(specifier)) return undefined;
  const dependency = dependencyName(specifier);
  if (dependency === '@mmm/plugin-sdk') return undefined;
  if (dependency.startsWith('@mmm/')) return `imports ${dependency}: a plugin knows nothing of ours but the SDK`;
  const isDeclared = declared.get('')?.has(dependency) === true || declared.get(folder)?.has(dependency) === true;
  return isDeclared ? undefined : `imports ${dependency}, which no package.json names`;
}

function fixtureRules(file: SourceFile, { specifier }: ImportStatement): string | undefined {
  const isOurs = specifier.startsWith('@mmm/') || specifier.includes('packages/');
  if (!file.path.startsWith('test/fixtures/plugins/') || !isOurs) return undefined;
  return `imports "${specifier}": fixtures speak bytes, so that they check what we believe about the wire`;
}

function resolve(file: SourceFile, specifier: string): string {
  return posix.join(posix.dirname(file.path), specifier);
}

function folderBelow(root: string, path: string): string | undefined {
  const rest = path.slice(root.length).split('/');
  return rest.length > 1 ? rest[0] : undefined;
}

function dependencyName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
