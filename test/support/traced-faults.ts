import { spawnSync } from 'node:child_process';

/** Why faults cannot be injected here, or nothing. */
export function traceRefusal(): { readonly skip?: string } {
  const tried = spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true'], {
    encoding: 'utf8',
  });
  if (tried.error !== undefined) return { skip: 'strace is not installed' };
  return tried.status === 0 ? {} : { skip: `strace may not trace here: ${tried.stderr.trim()}` };
}
