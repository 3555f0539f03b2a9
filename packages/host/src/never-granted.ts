/**
 * What the sandbox never mounts from the host: sockets of daemons and the places of the plugin's own folders; and, but
 * for folders inside them, the programs and libraries it has chosen. A manifest that asks for one is refused.
 */
export const neverGranted: { readonly trees: readonly string[]; readonly whole: readonly string[] } = {
  trees: ['/run', '/var/run', '/boot', '/plugin', '/data', '/.mmm'],
  whole: [
    '/usr',
    '/usr/bin',
    '/usr/lib',
    '/usr/lib64',
    '/bin',
    '/sbin',
    '/lib',
    '/lib64',
    '/usr/local',
    '/usr/local/bin',
  ],
};
