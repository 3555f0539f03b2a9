import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHost, type Host, type HostOptions, signPlugin } from '@mmm/host';
import { program } from './programs.ts';

/** A tool whose input and output have schemas, so that both are checked in every call. */
const manifest = (name: string) => `schema = 1

[plugin]
name = "${name}"
version = "1.0.0"
description = "Answers with its input"
license = "MIT"
command = ["node", "main.cjs"]

[[capabilities]]
kind = "tool"
name = "run"
idempotent = true
input = { type = "object", required = ["text"], properties = { text = { type = "string" } } }
output = { type = "object", required = ["text"], properties = { text = { type = "string" } } }

[[capabilities]]
kind = "tool"
name = "once"
`;

export interface StageOptions {
  /** Text of config.toml. */
  readonly settings?: string;
  readonly onLog?: HostOptions['onLog'];
  /** Of `bench/programs`. Default: `echo-lines.cjs`. */
  readonly program?: string;
  /** An address of this machine that the plugin is granted, `127.0.0.1:1`. Default: none. */
  readonly network?: string;
}

/** A host on a home of its own in which the echo plugin is signed and installed. */
export async function openHost(folder: string, confined: boolean, more: StageOptions = {}): Promise<Host> {
  const home = join(folder, confined ? 'confined' : 'unconfined');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (more.settings !== undefined) writeFileSync(join(home, 'config.toml'), more.settings, { mode: 0o600 });
  const { onLog } = more;
  const watched = onLog === undefined ? {} : { onLog };
  const host = await createHost({ home, ...(confined ? {} : { sandboxNoneFor: ['echo'] }), ...watched });
  const key = await host.keys.create('bench');
  await host.trust.add({ publicKey: key.publicKey, name: 'bench', role: 'publisher', scopes: ['*'] }, new Date());
  const source = join(folder, `${confined ? 'confined' : 'unconfined'}-source`);
  writePlugin(source, 'echo', more.program);
  if (more.network !== undefined) {
    const permission = `[[permissions.network]]\nhost = "${more.network}"\nprivate = true\n`;
    appendFileSync(join(source, 'plugin.toml'), permission);
  }
  await signPlugin(source, key);
  const grant = more.network === undefined ? undefined : [`network=${more.network}!private`];
  await host.install(source, grant === undefined ? { grantRequested: true } : { grant });
  return host;
}

export function writePlugin(folder: string, name: string, source = 'echo-lines.cjs'): void {
  mkdirSync(folder, { recursive: true });
  cpSync(program(source), join(folder, 'main.cjs'));
  writeFileSync(join(folder, 'plugin.toml'), manifest(name));
}
