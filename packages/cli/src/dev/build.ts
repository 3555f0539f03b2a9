import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { excerpt, safeText } from '@mmm/host';
import { type Manifest, MmmError, type SourceIssue } from '@mmm/protocol';
import type { BuildFailure, Loader, Message } from 'esbuild';
import { checkPython } from './check-python.ts';

/** A program in TypeScript and the one file it becomes. Both relative to the plugin folder. */
export interface BuildPlan {
  readonly entry: string;
  readonly outfile: string;
  readonly format: 'cjs' | 'esm';
}

export interface Build {
  /** Null when the files run as they are. */
  readonly plan: BuildPlan | null;
  /** The source map of `plan.outfile` as JSON, for stacks. */
  readonly sourceMap: string | null;
  readonly warnings: readonly SourceIssue[];
}

let esbuild: Promise<typeof import('esbuild')> | undefined;

/** Errors shown with their lines; one mistake often has many. */
const framesMax = 5;
const entries = ['src/main.ts', 'src/main.mts', 'src/main.cts', 'src/main.tsx', 'src/index.ts'];
/** Only into such a folder is written: what lies elsewhere was written by a person. */
const outputFile = /^(?:dist|build|out)\/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.([cm]?)js$/;

/** What is to be built, seen from the manifest's command: `["node", "dist/plugin.cjs"]` with a `src/main.ts`. */
export function planBuild(directory: string, manifest: Pick<Manifest, 'plugin'>): BuildPlan | null {
  const entry = entries.find((path) => existsSync(join(directory, path)));
  if (entry === undefined) return null;
  for (const word of manifest.plugin.command ?? []) {
    const path = word.replace(/^\.\//, '');
    const match = outputFile.exec(path);
    if (match !== null) return { entry, outfile: path, format: match[1] === 'm' ? 'esm' : 'cjs' };
  }
  return null;
}

/**
 * Builds the plugin, or looks its sources through where there is nothing to build. No code of the plugin runs. Throws
 * BUILD_FAILED with every error at its place; then the output of the last build that worked is as it was.
 */
export async function build(
  directory: string,
  manifest: Pick<Manifest, 'plugin' | 'capabilities' | 'config'>,
  files: readonly string[],
): Promise<Build> {
  const plan = planBuild(directory, manifest);
  const issues = await checkSources(directory, manifest, files, plan);
  if (issues.length > 0) throw await failed(directory, issues);
  if (plan === null) return { plan, sourceMap: null, warnings: [] };
  const { build: bundle } = await loadEsbuild();
  try {
    const { outputFiles, warnings } = await bundle({
      absWorkingDir: directory,
      entryPoints: [plan.entry],
      outfile: plan.outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: plan.format,
      sourcemap: 'external',
      legalComments: 'none',
      logLevel: 'silent',
      write: false,
    });
    const text = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
    await replaceFile(join(directory, plan.outfile), text('js'));
    return { plan, sourceMap: text('.map'), warnings: warnings.map(issueOf) };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    throw await failed(directory, error.errors.map(issueOf));
  }
}

/** Ends the helper that esbuild keeps running between builds, if there is one. */
export async function endBuilds(): Promise<void> {
  const loaded = await esbuild;
  esbuild = undefined;
  await loaded?.stop();
}

/** Loaded with the first file that needs it; it keeps one helper process for all builds of this command. */
function loadEsbuild(): Promise<typeof import('esbuild')> {
  esbuild ??= import('esbuild');
  return esbuild;
}

/** Syntax of what runs as it is, and of the schemas the manifest names: found here, before anything is started. */
async function checkSources(
  directory: string,
  manifest: Pick<Manifest, 'plugin' | 'capabilities' | 'config'>,
  files: readonly string[],
  plan: BuildPlan | null,
): Promise<readonly SourceIssue[]> {
  const own = files.filter((path) => !/(?:^|\/)vendor\//.test(path));
  const schemas = [
    manifest.config?.schema,
    ...manifest.capabilities.flatMap(({ input, output, config }) => [input, output, config]),
  ];
  const texts: [string, Loader][] = files.filter((path) => schemas.includes(path)).map((path) => [path, 'json']);
  if (plan === null) {
    for (const path of own) if (/\.[cm]?js$/.test(path)) texts.push([path, 'js']);
  }
  const python = own.filter((path) => path.endsWith('.py'));
  const found = await Promise.all([
    ...texts.map(([path, loader]) => checkText(directory, path, loader)),
    checkPython(directory, python),
  ]);
  return found.flat();
}

async function checkText(directory: string, path: string, loader: Loader): Promise<readonly SourceIssue[]> {
  const { transform } = await loadEsbuild();
  try {
    await transform(await readFile(join(directory, path), 'utf8'), { loader, sourcefile: path, logLevel: 'silent' });
    return [];
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    return error.errors.map(issueOf);
  }
}

/** In one step, so that nobody reads half of it. */
async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}~`;
  await writeFile(fresh, text);
  await rename(fresh, file);
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

/** esbuild counts columns in bytes from 0. */
function issueOf({ text, location }: Message): SourceIssue {
  if (location === null) return { file: '.', line: 1, column: 1, message: text };
  const before = Buffer.from(location.lineText, 'utf8').subarray(0, location.column).toString('utf8');
  return { file: posix.normalize(location.file), line: location.line, column: before.length + 1, message: text };
}

async function failed(directory: string, issues: readonly SourceIssue[]): Promise<MmmError<'BUILD_FAILED'>> {
  const count = issues.length === 1 ? 'an error' : `${issues.length} errors`;
  const frames = await Promise.all(issues.slice(0, framesMax).map((issue) => showIssue(directory, issue)));
  const rest = issues.length > framesMax ? [`… and ${issues.length - framesMax} more`] : [];
  const message = [`The plugin in ${directory} has ${count}.`, ...frames, ...rest].join('\n');
  return new MmmError('BUILD_FAILED', message, { directory, issues });
}

/** `src/main.ts:7:5: what is wrong`, with the line and a caret below. */
export async function showIssue(directory: string, { file, line, column, message }: SourceIssue): Promise<string> {
  const place = `${safeText(file, 400)}:${line}:${column}: ${safeText(message, 600)}`;
  const text = await readFile(join(directory, file), 'utf8').catch(() => undefined);
  return text === undefined ? place : `${place}\n${excerpt(text, line, column)}`;
}
