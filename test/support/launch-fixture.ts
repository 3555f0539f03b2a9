import { spawn as spawnPlain, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { type ManifestInput, manifest, type Permission } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import type { PermittedPlugin } from '../../packages/host/src/permit/permitted.ts';
import { confine, type SandboxMachine } from '../../packages/host/src/sandbox/confine.ts';
import type { LaunchCommand } from '../../packages/host/src/sandbox/launch-command.ts';
import { probeSandbox } from '../../packages/host/src/sandbox/probe.ts';
import { programPath } from '../../packages/host/src/sandbox/tools.ts';
import { pluginLimits } from '../../packages/host/src/settings/limits.ts';
import type { Child } from '../../packages/host/src/spawn/child.ts';
import { spawn } from '../../packages/host/src/spawn/spawn.ts';

export const isRoot = process.getuid?.() === 0;
/** The uid plugins get here: one of their own under root, ours otherwise. */
export const launchUid = isRoot ? 300_123 : (process.getuid?.() ?? 0);

export interface Fixture {
  /** Folder with the plugin's files. */
  readonly bundle: string;
  readonly command: readonly string[];
  readonly granted?: readonly Permission[];
  readonly limits?: ManifestInput['limits'];
  readonly sandbox?: 'none' | 'process' | 'wasm' | 'container';
  readonly machine?: Partial<SandboxMachine>;
}

/** Goes the part of the way this file's users test: confine, as the host calls it. */
export async function confineFixture(t: Pick<TestContext, 'after'>, fixture: Fixture): Promise<LaunchCommand> {
  const home = mkdtempSync(join(tmpdir(), 'mmm-home-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, 'data'));
  const parsed = manifest.parse({
    schema: 1,
    plugin: {
      name: 'fixture',
      version: '1.0.0',
      description: 'A fixture',
      license: 'MIT',
      command: [...fixture.command],
      ...(fixture.sandbox === undefined ? {} : { sandbox: fixture.sandbox }),
    },
    capabilities: [{ kind: 'tool', name: 'reach' }],
    ...(fixture.limits === undefined ? {} : { limits: fixture.limits }),
  });
  const plugin = {
    spec: { id: 'fixture', manifest: parsed },
    bundleDirectory: fixture.bundle,
    granted: fixture.granted ?? [],
  } as unknown as PermittedPlugin;
  return await confine(plugin, {
    probe: () => probeSandbox({ uid: launchUid, home, nodePath: process.execPath }),
    homeDirectory: home,
    dataDirectory: join(home, 'data', 'fixture'),
    uid: launchUid,
    allowNone: false,
    limits: pluginLimits('fixture', parsed.limits, undefined),
    nodePath: process.execPath,
    environment: {},
    userHome: homedir(),
    programPath,
    ...fixture.machine,
  });
}

export interface Launched {
  readonly child: Child;
  readonly command: LaunchCommand;
  readonly stderr: readonly string[];
  /** One raw `execute` with this input; resolves with the answer's `output`. */
  ask(input: Readonly<Record<string, unknown>>): Promise<string>;
}

/** confine → spawn, with a raw exchange over the pipes. The process is gone after the test. */
export async function launchFixture(t: TestContext, fixture: Fixture): Promise<Launched> {
  const command = await confineFixture(t, fixture);
  const stderr: string[] = [];
  const child = await spawn(command, {
    plugin: 'fixture',
    clock: systemClock,
    onLine: (_stream, line) => stderr.push(line),
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });
  const ask = asker(child.transport.input, child.transport.output, () => stderr.join('\n'));
  return { child, command, stderr, ask };
}

/** The same program without any sandbox, with the whole environment: the control that shows what it could reach. */
export function launchPlain(t: TestContext, file: string, args: readonly string[], extra: Record<string, string>) {
  const child = spawnPlain(file, args, { env: { ...process.env, ...extra }, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return asker(child.stdout, child.stdin, () => 'the control ended');
}

function asker(input: Readable, output: Writable, explain: () => string) {
  const waiting = new Map<number, { resolve(output: string): void; reject(error: Error): void }>();
  const lines = createInterface({ input });
  lines.on('line', (line) => {
    const { id, result } = JSON.parse(line) as { id: number; result: { output: string } };
    waiting.get(id)?.resolve(result.output);
    waiting.delete(id);
  });
  let hasEnded = false;
  const ended = (): Error => new Error(`The program ended without an answer: ${explain()}`);
  lines.on('close', () => {
    hasEnded = true;
    for (const { reject } of waiting.values()) reject(ended());
  });
  output.on('error', () => undefined);
  let next = 1;
  return (request: Readonly<Record<string, unknown>>): Promise<string> => {
    const id = next++;
    return new Promise((resolve, reject) => {
      if (hasEnded) return reject(ended());
      waiting.set(id, { resolve, reject });
      output.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'execute', params: { input: request } })}\n`);
    });
  };
}

/** A folder any uid can enter, as the content store makes them. */
export function openFolder(t: Pick<TestContext, 'after'>, mode = 0o755): string {
  const folder = mkdtempSync(join(tmpdir(), 'mmm-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  spawnSync('chmod', [mode.toString(8), folder]);
  return folder;
}

/** A copy of a fixture plugin that any uid can read. */
export function fixtureBundle(t: TestContext, name: string): string {
  const bundle = openFolder(t);
  cpSync(join(import.meta.dirname, '..', 'fixtures', 'plugins', name), bundle, { recursive: true });
  spawnSync('chmod', ['-R', 'a+rX', bundle]);
  return bundle;
}
