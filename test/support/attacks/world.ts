import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Permission } from '@mmm/protocol';
import type { SandboxMachine } from '../../../packages/host/src/sandbox/confine.ts';
import { probeSandbox, type SandboxProbe } from '../../../packages/host/src/sandbox/probe.ts';
import { fixtureBundle, isRoot, launchFixture, launchPlain, launchUid, openFolder } from '../launch-fixture.ts';
import type { Outcome, Probe, Rung } from './row.ts';

type Language = Probe['language'];
type Ask = (input: Readonly<Record<string, unknown>>) => Promise<string>;

/** One plugin without any grant, one that was granted something, and the same program with nothing around it. */
export interface AttackWorld {
  readonly rung: Rung;
  /** Tries it here, where its row says that it comes to this. */
  meet(probe: Probe, outcome: Outcome): Promise<void>;
}

/** What there is to attack. The same for each rung. */
export interface Targets {
  readonly facts: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
}

const commands: Readonly<Record<Language, string[]>> = {
  python: ['python3', 'main.py'],
  javascript: ['node', 'main.cjs'],
};

/** Files, listeners and a process, each within reach of whoever is not kept from it. */
export async function openTargets(t: TestContext): Promise<Targets> {
  const folder = openFolder(t);
  const at = (name: string, text?: string): string => {
    const path = join(folder, name);
    mkdirSync(text === undefined ? path : join(path, '..'), { recursive: true, mode: 0o755 });
    if (text !== undefined) writeFileSync(path, text, { mode: 0o644 });
    return path;
  };
  const key = at('home/.ssh/id_ed25519', 'hunter2');
  const [shared, open, writable, other] = ['shared', 'open', 'writable', 'data/other'].map((name) => at(name));
  at('shared/text', 'shared');
  at('data/other/secret', 'hunter2');
  // Nothing but the sandbox must be what keeps a plugin out.
  for (const path of [shared, open]) chmodSync(path ?? '', 0o777);
  chmodSync(other ?? '', 0o700);
  if (isRoot) chownSync(writable ?? '', launchUid, launchUid);
  const tcp = createServer((socket) => socket.destroy()).listen(0, '0.0.0.0');
  const udp = createSocket('udp4').bind(0, '0.0.0.0');
  const daemon = createServer((socket) => socket.destroy()).listen(join(shared ?? '', 'daemon.sock'));
  for (const server of [tcp, udp, daemon]) t.after(() => server.close());
  await Promise.all([tcp, udp, daemon].map((server) => once(server, 'listening')));
  chmodSync(join(shared ?? '', 'daemon.sock'), 0o777);
  const victim = spawn('/bin/sh', ['-c', 'echo ready; read never'], {
    env: { OTHER_SECRET: 'hunter2' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => victim.kill('SIGKILL'));
  await once(victim.stdout, 'data');
  const facts = {
    ...{ key, shared, open, writable, other },
    port: String((tcp.address() as AddressInfo).port),
    udp: String(udp.address().port),
    address: ownAddress(),
    pid: String(victim.pid),
  } as Record<string, string>;
  return { facts, environment: { HOST_SECRET: 'hunter2', SHARED_NAME: 'shared' } };
}

/** Launches what the probes of one rung need, once for all of them. */
export async function openRung(t: TestContext, rung: Rung, targets: Targets): Promise<AttackWorld> {
  const { facts, environment } = targets;
  const granted: Permission[] = [
    { kind: 'filesystem', access: 'read', path: facts.shared ?? '' },
    { kind: 'filesystem', access: 'write', path: facts.writable ?? '' },
    { kind: 'environment', name: 'SHARED_*' },
    { kind: 'commands', name: 'id' },
  ];
  const launch = async (language: Language, given: readonly Permission[]): Promise<Ask> => {
    const bundle = fixtureBundle(t, `does-as-told-${language}`);
    const machine = { environment, ...(await machineOf(rung)) };
    const { ask, command } = await launchFixture(t, { bundle, command: commands[language], granted: given, machine });
    assert.equal(command.mechanism, rung);
    return ask;
  };
  const plain = (language: Language): Ask => {
    const [, program = ''] = commands[language];
    const file = language === 'python' ? '/usr/bin/python3' : process.execPath;
    return launchPlain(t, file, [join(fixtureBundle(t, `does-as-told-${language}`), program)], environment);
  };
  const languages: readonly Language[] = ['python', 'javascript'];
  const asks = new Map<Language, { bare: Ask; granted: Ask; plain: Ask }>();
  for (const language of languages) {
    const [bare, more] = await Promise.all([launch(language, []), launch(language, granted)]);
    asks.set(language, { bare, granted: more, plain: plain(language) });
  }
  return {
    rung,
    meet: async (probe, outcome) => {
      const of = asks.get(probe.language);
      assert.ok(of);
      let runs = 0;
      const ask = async (who: Ask): Promise<string> => {
        runs += 1;
        return await who({ code: spelt(probe.code, { ...facts, run: `${rung}-${process.pid}-${runs}` }) });
      };
      if (probe.controlAsRootOnly !== true || isRoot) {
        assert.match(await ask(of.plain), probe.open, `control, with nothing around it: ${probe.code}`);
      }
      assert.match(await ask(of.bare), expected(probe, rung, outcome), `without a grant: ${probe.code}`);
      if (probe.granted !== undefined && rung !== 'none') {
        assert.match(await ask(of.granted), probe.granted, `with what was granted: ${probe.code}`);
      }
    },
  };
}

/** A machine on which this rung is the best there is, or the one its user wants. */
async function machineOf(rung: Rung): Promise<Partial<SandboxMachine>> {
  if (rung === 'bubblewrap') return {};
  return rung === 'none' ? { allowNone: true } : { allowLandlock: true, probe: withoutBubblewrap };
}

let probed: Promise<SandboxProbe> | undefined;

/** What there is where bubblewrap is not. The program that Landlock takes is made in a folder of our own. */
export function withoutBubblewrap(): Promise<SandboxProbe> {
  if (probed === undefined) {
    const home = mkdtempSync(join(tmpdir(), 'mmm-home-'));
    process.once('exit', () => rmSync(home, { recursive: true, force: true }));
    probed = probeSandbox({ uid: launchUid, home, nodePath: process.execPath, bubblewrap: null });
  }
  return probed;
}

/** Python is what most probes are written in. */
export function pythonIsThere(): boolean {
  return spawnSync('/usr/bin/python3', ['--version']).status === 0;
}

function expected(probe: Probe, rung: Rung, outcome: Outcome): RegExp {
  const special = probe.onRung?.[rung];
  if (special === undefined) return outcome === 'refused' ? probe.refused : probe.open;
  return special instanceof RegExp ? special : special[isRoot ? 'root' : 'user'];
}

function spelt(code: string, facts: Readonly<Record<string, string>>): string {
  return code.replaceAll(/\$([a-z]+)/g, (whole, name: string) => facts[name] ?? whole);
}

/** An address of this machine that is not its loopback, where it has one. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.2';
}
