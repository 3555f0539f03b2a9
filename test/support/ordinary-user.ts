import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..', '..');
const isRoot = process.getuid?.() === 0;
const ordinaryUid = 12_345;

/** Why a user cannot run the tests of this repository, or undefined: a folder above it may be closed to others. */
export function unreachableFor(uid: number): string | undefined {
  const needed = ['package.json', 'node_modules/tsx/package.json', 'test/support/ordinary-user.ts'];
  const files = JSON.stringify(needed.map((file) => join(repository, file)));
  const code = `for (const file of ${files}) require('fs').readFileSync(file)`;
  const tried = spawnSync(process.execPath, ['-e', code], { uid, gid: uid, cwd: '/', encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  return `uid ${uid} cannot read this repository (or node): a folder above it is closed to others; clone it elsewhere`;
}

/** Options of the test that runs its file again as an ordinary user: skipped, with the reason, where that cannot be. */
export const asOrdinaryUser: { readonly skip?: string } = options();

function options(): { readonly skip?: string } {
  if (!isRoot) return { skip: 'this is the run as an ordinary user' };
  const skip = unreachableFor(ordinaryUid);
  return skip === undefined ? {} : { skip };
}

/** The coverage folder is the first user's. Only what is refused by name Node does not hand on by itself. */
const notOurs = { NODE_V8_COVERAGE: undefined };

/** Runs a test file again as an ordinary user; its output is the error when it fails. */
export function runAsOrdinaryUser(file: string): { passed: boolean; output: string } {
  const home = mkdtempSync(join(tmpdir(), 'mmm-user-'));
  try {
    spawnSync('chown', [`${ordinaryUid}:${ordinaryUid}`, home]);
    const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env;
    const { status, stdout, stderr } = spawnSync(
      'setpriv',
      [
        ...[`--reuid=${ordinaryUid}`, `--regid=${ordinaryUid}`, '--clear-groups', '--'],
        ...[process.execPath, '--import', 'tsx', '--conditions=mmm-source', '--test', '--test-reporter=tap', file],
      ],
      { env: { ...inherited, ...notOurs, HOME: home }, cwd: repository, encoding: 'utf8', timeout: 600_000 },
    );
    return { passed: status === 0, output: `${stdout}${stderr}` };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
