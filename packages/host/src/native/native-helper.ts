import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { chmod, link, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { launchSource } from './launch-source.ts';

/** The program of ours that starts plugins, or why there is none: then others do its work, and Landlock nobody's. */
export type NativeHelper = { readonly path: string } | { readonly path: null; readonly reason: string };

const compilers = ['cc', 'gcc', 'clang'];
/** Never the PATH of whoever started the host. */
const compilerFolders: readonly string[] = ['/usr/local/bin', '/usr/bin', '/bin'];
/** A compiler that hangs must not keep a host from starting. */
const compileMaxMs = 20_000;

/** Other source, other flags or another processor: another program. */
const name = `launch-${createHash('sha256').update(`${process.arch} 1 ${launchSource}`).digest('hex').slice(0, 32)}`;

const remembered = new Map<string, Promise<NativeHelper>>();
/** One that this process has seen to work, whatever home it lies in. */
let working: string | undefined;

/**
 * Compiled once a home, where only its owner can write, in a tenth of a second. Never throws: without a compiler, and
 * where nothing in the home can be executed, the answer says so.
 */
export function nativeHelper(home: string, folders: readonly string[] = compilerFolders): Promise<NativeHelper> {
  const key = `${home} ${folders.join(':')}`;
  const known = remembered.get(key);
  const helper = known ?? findOrMake(home, folders);
  // A compiler that is missing now may be installed later; who asks again then wants to know.
  void helper.then(({ path }) => path === null && remembered.delete(key));
  remembered.set(key, helper);
  return helper;
}

async function findOrMake(home: string, folders: readonly string[]): Promise<NativeHelper> {
  const folder = join(home, 'native');
  const path = join(folder, name);
  const staged = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    // Not every folder that is given as a home is one.
    if (!isOurs(home)) return { path: null, reason: `${home} is not yours alone` };
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOurs(folder)) return { path: null, reason: `${folder} is not yours alone` };
    if (isOurs(path)) return { path };
    const linked = folders === compilerFolders && (await linkKnown(staged));
    const problem = linked ? undefined : await compile(staged, folders);
    if (problem !== undefined) return { path: null, reason: problem };
    await chmod(staged, 0o500);
    const failed = await attempt(staged, ['--', '/bin/true']);
    if (failed !== undefined) return { path: null, reason: `what was compiled in ${folder} does not run: ${failed}` };
    await rename(staged, path);
    working = path;
    return { path };
  } catch (error) {
    return { path: null, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    if (existsSync(staged)) rmSync(staged, { force: true });
  }
}

/** Saves compiling it again where the same process opens many homes. */
async function linkKnown(path: string): Promise<boolean> {
  if (working === undefined) return false;
  return await link(working, path).then(
    () => true,
    () => false,
  );
}

/** Ours, and nobody else may write it: what runs with the rights of the host must not be anybody's to replace. */
function isOurs(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined || (!status.isFile() && !status.isDirectory())) return false;
  return status.uid === process.getuid?.() && (status.mode & 0o077) === 0;
}

/** Undefined when it was compiled, else why not. Static where the machine has what that needs: it starts sooner. */
async function compile(output: string, folders: readonly string[]): Promise<string | undefined> {
  const paths = compilers.flatMap((compiler) => folders.map((folder) => join(folder, compiler)));
  const compiler = paths.find(isExecutable);
  if (compiler === undefined) return 'there is no C compiler';
  const words = ['-O1', '-x', 'c', '-o', output, '-'];
  if ((await attempt(compiler, ['-static', ...words], launchSource)) === undefined) return undefined;
  const failed = await attempt(compiler, words, launchSource);
  return failed === undefined ? undefined : `${compiler} cannot compile it: ${failed}`;
}

/** Undefined when it ended with 0, else the first line of what it said. */
function attempt(file: string, words: readonly string[], input = ''): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { env: { PATH: '/usr/bin:/bin' }, cwd: '/', timeout: compileMaxMs, killSignal: 'SIGKILL' } as const;
    const child = execFile(file, [...words], options, (error, _stdout, stderr) => {
      const said = stderr.split('\n').find((line) => /error/.test(line)) ?? stderr.split('\n')[0] ?? '';
      resolve(error === null ? undefined : (said.trim() || error.message).slice(0, 300));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
