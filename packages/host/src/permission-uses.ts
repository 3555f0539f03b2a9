import type { PermissionKind } from '@mmm/protocol';
import type { PermissionReport, PermissionSummary } from './api-permissions.ts';
import type { PermissionUse } from './store/consent.ts';

/** Kinds whose every use goes through the host. The others the operating system grants, once, at the start. */
const observed: ReadonlySet<PermissionKind> = new Set<PermissionKind>([
  'network',
  'messages',
  'compose',
  'state',
  'model',
  'project',
]);

/** Puts what was counted beside what was decided; what was refused and is not in the manifest comes last. */
export function usesOf(permissions: readonly PermissionSummary[], counted: readonly PermissionUse[]): PermissionReport {
  const byKey = new Map(counted.map((use) => [use.key, use]));
  const known = new Set(permissions.map(({ key }) => key));
  return {
    permissions: permissions.map((summary) => ({
      ...summary,
      used: observed.has(summary.permission.kind) ? useOf(byKey.get(summary.key)) : null,
    })),
    refused: counted
      .filter(({ key, denials }) => denials > 0 && !known.has(key))
      .map(({ key, denials, lastDeniedMs }) => ({ key, denials, lastDeniedAt: time(lastDeniedMs) })),
  };
}

function useOf(use: PermissionUse | undefined): NonNullable<PermissionReport['permissions'][number]['used']> {
  return {
    uses: use?.uses ?? 0,
    lastUsedAt: time(use?.lastUsedMs ?? null),
    denials: use?.denials ?? 0,
    lastDeniedAt: time(use?.lastDeniedMs ?? null),
  };
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
