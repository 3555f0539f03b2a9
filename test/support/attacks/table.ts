import { filesystemAttacks } from './filesystem.ts';
import { hostAttacks } from './host.ts';
import { networkAttacks } from './network.ts';
import { processAttacks } from './processes.ts';
import { protocolAttacks } from './protocol.ts';
import type { Attack } from './row.ts';

/** Every attack this repository has a proof for, in the order and under the headings of docs/security.md. */
export const attackTable: readonly (readonly [heading: string, attacks: readonly Attack[]])[] = [
  ['Files', filesystemAttacks],
  ['Secrets, processes and the kernel', processAttacks],
  ['Network', networkAttacks],
  ['The protocol', protocolAttacks],
  ['The host', hostAttacks],
];
