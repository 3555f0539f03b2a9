import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../scripts/remove-tree.ts';

/** The folder the demo plays in: a home of its own, so that nothing of yours is read or changed. */
export interface Stage {
  readonly directory: string;
  readonly home: string;
  /** Copies a built plugin to the stage and returns where it lies. */
  copy(source: string): string;
  /** Runs the real command as you would, prints the line and what it says, and checks its exit code. */
  mmm(args: readonly string[], expected?: number): Promise<string>;
  clear(): void;
}

const repository = join(import.meta.dirname, '..');

export function openStage(): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'mmm-demo-'));
  const home = join(directory, 'home');
  const plugins = join(directory, 'plugins');
  mkdirSync(plugins);
  return {
    directory,
    home,
    copy: (source) => {
      const target = join(plugins, source.split('/').at(-1) ?? '');
      cpSync(join(repository, source), target, { recursive: true });
      return target;
    },
    mmm: (args, expected = 0) => runMmm(directory, home, args, expected),
    clear: () => removeTree(directory),
  };
}

async function runMmm(directory: string, home: string, args: readonly string[], expected: number): Promise<string> {
  print(`$ mmm ${args.map((arg) => quote(arg.replace(`${directory}/`, ''))).join(' ')}`);
  const command = join(repository, 'packages/cli/bin/mmm.cjs');
  const child = spawn(process.execPath, [command, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: directory, MMM_HOME: home },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const said = (stdout + stderr).replaceAll(`${directory}/`, '').trimEnd();
  if (said !== '')
    print(
      said
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n'),
    );
  if (code !== expected) throw new Error(`mmm ${args.join(' ')} exited with ${code}, expected ${expected}`);
  if (expected !== 0) print(`  (exit code ${code}, as it should be)`);
  return stdout;
}

function quote(text: string): string {
  return /^[\w./:=@*-]+$/.test(text) ? text : `'${text}'`;
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function title(text: string): void {
  print(`\n== ${text}`);
}

/** Ends the demo with a failure when what was shown is not what had to be shown. */
export function expect(what: string, right: boolean): void {
  if (!right) throw new Error(`The demo failed: ${what}`);
}
