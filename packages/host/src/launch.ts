import { permissionKey } from '@mmm/protocol';
import type { AuditLog } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { type HandshakeServices, handshake } from './handshake/handshake.ts';
import type { Session } from './handshake/session.ts';
import { type PermitServices, permit } from './permit/permit.ts';
import type { PermittedPlugin } from './permit/permitted.ts';
import { confine, type SandboxMachine } from './sandbox/confine.ts';
import type { LaunchCommand } from './sandbox/launch-command.ts';
import { type SpawnServices, spawn } from './spawn/spawn.ts';
import { type VerifyServices, verify } from './verify/verify.ts';

/** What each stage needs, made for one launch by the host. */
export interface LaunchServices {
  readonly verify: VerifyServices;
  readonly permit: PermitServices;
  /** Binds the plugin's data and uid to its publisher. */
  sandbox(plugin: PermittedPlugin): SandboxMachine;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly spawn: SpawnServices;
  /** What the plugin is configured with. Throws when that is not whole; it is then not spawned. */
  config(plugin: PermittedPlugin): Promise<HandshakeServices['config']>;
  readonly handshake: Omit<HandshakeServices, 'config'>;
}

/**
 * The sentence: verify → permit → sandbox → spawn → handshake. Each stage takes what the one before returned, so that
 * skipping one does not compile. Nothing before `spawn` runs a byte of the plugin.
 */
export async function launch(spec: PluginSpec, services: LaunchServices, signal: AbortSignal): Promise<Session> {
  const verified = await verify(spec, services.verify);
  const permitted = await permit(verified, services.permit);
  const config = await services.config(permitted);
  const command = await confine(permitted, services.sandbox(permitted));
  signal.throwIfAborted();
  record(permitted, command, services.audit);
  const child = await spawn(command, services.spawn);
  return await handshake(child, command, permitted, { ...services.handshake, config }, signal);
}

/** A launch that cannot be recorded does not happen: `append` throws. */
function record(plugin: PermittedPlugin, command: LaunchCommand, audit: Pick<AuditLog, 'append'>): void {
  const { level, mechanism, uid, enforcement } = command;
  const { bundleSha256, trust } = plugin;
  const detail = {
    version: plugin.spec.manifest.plugin.version,
    bundle: bundleSha256,
    trust,
    level,
    mechanism,
    uid,
    enforcement,
  };
  if (level === 'none') audit.append({ action: 'sandbox_none', plugin: plugin.spec.id, detail });
  audit.append({
    action: 'launch',
    plugin: plugin.spec.id,
    detail: { ...detail, permissions: plugin.granted.map(permissionKey), automatic: plugin.automatic },
  });
}
