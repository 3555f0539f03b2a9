import { spawnSync } from 'node:child_process';

const probe = spawnSync('bwrap', ['--ro-bind', '/', '/', '--unshare-pid', '--proc', '/proc', 'true']);

/** Options of a test that needs the sandbox: skipped, with the reason, where this machine has none. */
export const confined: { readonly skip?: string } =
  probe.status === 0 ? {} : { skip: 'bubblewrap does not work here: nothing confined can run' };
