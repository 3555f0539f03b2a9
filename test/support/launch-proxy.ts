import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Permission } from '@mmm/protocol';
import { type Clock, systemClock } from '@mmm/rpc';
import { Egress, type EgressDoor, type LaunchNetwork } from '../../packages/host/src/egress/egress.ts';
import type { Lookup } from '../../packages/host/src/egress/resolver.ts';
import { egressRules } from '../../packages/host/src/egress/rule.ts';
import type { TrafficSummary } from '../../packages/host/src/egress/traffic.ts';
import { tempFolder } from './temp-folder.ts';

export interface ProxySetting {
  /** Default: private, so that the servers of a test are within reach. */
  readonly isPrivate?: boolean;
  /** Default: every name is this machine. */
  readonly lookup?: Lookup;
  readonly clock?: Clock;
  /** Told of each first connection; what it throws refuses it. */
  onAllowed?(target: string): void;
}

export interface LaunchProxy {
  /** A connection to the proxy; what it reads is latin1. */
  open(): Socket;
  /** What comes back until the proxy closes. Each further piece is sent once there was an answer to all before it. */
  send(...pieces: (string | Buffer)[]): Promise<string>;
  readonly egress: Egress;
  readonly network: LaunchNetwork;
  readonly door: EgressDoor;
  /** `plugin target reason` of each refusal so far. */
  readonly refused: readonly string[];
  /** Each target that was recorded as allowed. */
  readonly allowed: readonly string[];
  readonly summaries: readonly TrafficSummary[];
}

/** The proxy of one launch on a real socket file, gone after the test. */
export async function launchProxy(
  t: Pick<TestContext, 'after'>,
  hosts: readonly string[],
  { isPrivate = true, lookup = async () => ['127.0.0.1'], clock = systemClock, onAllowed }: ProxySetting = {},
): Promise<LaunchProxy> {
  const refused: string[] = [];
  const allowed: string[] = [];
  const summaries: TrafficSummary[] = [];
  const egress = new Egress({
    runDirectory: tempFolder(t),
    lookup,
    clock,
    onAllowed: (_plugin, target) => {
      onAllowed?.(target);
      allowed.push(target);
    },
    onRefused: (plugin, asked, { reason }) => refused.push(`${plugin} ${asked} ${reason}`),
    onTraffic: (_plugin, summary) => summaries.push(summary),
  });
  const network = egress.forLaunch('asker');
  const granted = hosts.map((host): Permission => ({ kind: 'network', host, private: isPrivate }));
  const door = await network.open(egressRules(granted));
  t.after(() => door.close());
  const open = (): Socket => connect(join(door.directory, 'egress.sock')).setEncoding('latin1');
  const send: LaunchProxy['send'] = (...pieces) => {
    return new Promise((resolve) => {
      let answer = '';
      const socket = open();
      const next = (): void => void (pieces.length > 0 && socket.write(pieces.shift() ?? ''));
      next();
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        answer += data;
        next();
      });
      socket.on('close', () => resolve(answer));
    });
  };
  return { send, open, egress, network, door, refused, allowed, summaries };
}

/** The status of the first answer in what came back. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
}
