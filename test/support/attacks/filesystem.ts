import { type Attack, everywhere, sandboxed } from './row.ts';

const python = 'python' as const;
const host = 'test/process/attacks-host.test.ts';
const paths = 'test/process/granted-paths.test.ts';

/** Files: what was not granted, more than was granted, and other things than what was granted. */
export const filesystemAttacks: readonly Attack[] = [
  {
    id: 'A01',
    attack: 'reads a key in your home folder',
    defence: 'It sees only what was granted: everything else is not there.',
    outcome: sandboxed,
    error: '`ENOENT` (Landlock: `EACCES`)',
    audit: null,
    probes: [
      { language: python, code: `open('$key').read()`, refused: /^error (?:ENOENT|EACCES)$/, open: /^ok hunter2$/ },
      {
        language: 'javascript',
        code: `require('node:fs').readFileSync('$key', 'utf8')`,
        refused: /^error (?:ENOENT|EACCES)$/,
        open: /^ok hunter2$/,
      },
      {
        language: python,
        code: `open('$shared/text').read()`,
        refused: /^error (?:ENOENT|EACCES)$/,
        open: /^ok shared$/,
        granted: /^ok shared$/,
      },
    ],
    elsewhere: [{ file: 'test/process/confinement.test.ts', says: 'a file outside the grants cannot be read' }],
  },
  {
    id: 'A02',
    attack: 'writes where everybody may write, into its own bundle, or among the programs',
    defence: 'Only its data folder, /tmp, /dev/shm and what was granted can be written; all else is read-only.',
    outcome: sandboxed,
    error: '`ENOENT`, `EROFS` or `EACCES`',
    audit: null,
    probes: [
      {
        language: python,
        code: `written('$open/planted-$run')`,
        refused: /^error (?:ENOENT|EROFS|EACCES)$/,
        open: /^ok 1$/,
        granted: /^error (?:ENOENT|EROFS|EACCES)$/,
      },
      {
        language: 'javascript',
        code: `require('node:fs').writeFileSync('$open/planted-$run', 'x')`,
        refused: /^error (?:ENOENT|EROFS|EACCES)$/,
        open: /^ok/,
      },
      {
        language: python,
        code: `written('$writable/mine-$run')`,
        refused: /^error (?:ENOENT|EROFS|EACCES)$/,
        open: /^ok 1$/,
        granted: /^ok 1$/,
      },
    ],
    elsewhere: [{ file: 'test/process/confinement.test.ts', says: 'only its own folders can be written' }],
  },
  {
    id: 'A03',
    attack: 'writes into a folder it may read',
    defence: 'A grant to read is mounted read-only.',
    outcome: sandboxed,
    error: '`EROFS` (Landlock: `EACCES`)',
    audit: null,
    probes: [
      {
        language: python,
        code: `written('$shared/planted-$run')`,
        refused: /^error (?:ENOENT|EROFS|EACCES)$/,
        open: /^ok 1$/,
        granted: /^error (?:EROFS|EACCES)$/,
      },
    ],
    elsewhere: [{ file: paths, says: 'a grant to read, write or execute gives that and no more' }],
  },
  {
    id: 'A04',
    attack: 'puts a link into its data folder for the host to follow',
    defence: 'The host reads nothing of what is in a data folder; it counts and removes it by descriptor.',
    outcome: everywhere,
    error: '(the link is removed, what it leads to is not)',
    audit: null,
    elsewhere: [
      { file: host, says: 'removing a plugin takes its data away without following its links' },
      { file: host, says: 'in which folders and links change places while it is removed' },
    ],
  },
  {
    id: 'A05',
    attack: 'has a granted folder replaced by a link or by another folder, between starts or during one',
    defence:
      'What a path leads to is kept from consent to launch (disk, inode, birth), and compared again after the mount.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'possible' },
    error: '`GRANT_CHANGED` or `GRANT_INVALID`',
    audit: '`refused`',
    elsewhere: [
      { file: paths, says: 'a granted folder that was replaced is not shown until somebody agrees again' },
      { file: paths, says: 'what is swapped between the look at a grant and its mount is not shown' },
      { file: paths, says: 'links and folders that change places while a plugin starts never show' },
      { file: 'test/process/attacks.test.ts', says: 'a link that one plugin put into a shared folder leads no other' },
    ],
  },
  {
    id: 'A06',
    attack: 'connects to a daemon by a socket file in a granted folder',
    defence: 'The system call filter makes no unix sockets. (A pair of connected ones is no way to anybody.)',
    outcome: sandboxed,
    error: '`EAFNOSUPPORT`',
    audit: null,
    probes: [
      {
        language: python,
        code: `socket.socket(socket.AF_UNIX).connect('$shared/daemon.sock')`,
        refused: /^error EAFNOSUPPORT$/,
        open: /^ok None$/,
        granted: /^error EAFNOSUPPORT$/,
      },
      {
        language: python,
        code: `(lambda pair: pair[0].send(b'x'))(socket.socketpair(socket.AF_UNIX))`,
        refused: /^ok 1$/,
        open: /^ok 1$/,
      },
    ],
    elsewhere: [{ file: 'test/process/confinement.test.ts', says: 'a socket file in a granted folder' }],
  },
  {
    id: 'A07',
    attack: 'leaves pipes, devices or second names of files where the host looks',
    defence: 'What is no regular file with one name is refused in bundles and at granted paths, and never waited for.',
    outcome: everywhere,
    error: '`BUNDLE_INVALID`, `BUNDLE_CHANGED`, `GRANT_INVALID` or `GRANT_CHANGED`',
    audit: '`refused`',
    elsewhere: [
      { file: host, says: 'the schemas of a plugin are read from what was verified, and never from a pipe' },
      { file: paths, says: 'a granted file may be saved anew in its folder, and be nothing but a file of its owner' },
    ],
  },
  {
    id: 'A08',
    attack: 'names a value of its state `../../x`, or with a NUL',
    defence: 'Names are text in a database, never paths.',
    outcome: everywhere,
    error: '`InvalidParams`, or just a name',
    audit: null,
    elsewhere: [
      { file: 'test/unit/host/state/states.test.ts', says: 'a key that cannot be stored as it is is refused' },
      { file: 'test/unit/host/state/states.test.ts', says: 'what one plugin keeps of its own no other plugin sees' },
    ],
  },
  {
    id: 'A09',
    attack: 'finds its data folder replaced by a link to your home',
    defence: 'The data folder is opened without following links, and must be a folder.',
    outcome: everywhere,
    error: '`LAUNCH_FAILED`',
    audit: null,
    elsewhere: [{ file: 'test/process/attacks-staged.test.ts', says: 'a data folder that is a link is not used' }],
  },
  {
    id: 'A10',
    attack: 'fills the disk or the memory of /tmp',
    defence: '/tmp and /dev/shm have a size; files have one; the data folder is measured, and who is over it is ended.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'partly' },
    error: '`ENOSPC`, `EFBIG`, or the plugin is ended with `limit disk`',
    audit: null,
    probes: [
      {
        language: python,
        code: `result = 0
with open('/tmp/filler-$run', 'wb') as file:
    while result < 96: result += file.write(bytes(1 << 20)) >> 20
os.unlink('/tmp/filler-$run')`,
        refused: /^error (?:ENOSPC|EACCES)$/,
        open: /^ok 96$/,
        onRung: { bubblewrap: /^error ENOSPC$/, none: /^ok 96$/ },
      },
    ],
    elsewhere: [
      { file: 'test/process/limits.test.ts', says: 'a plugin whose data folder grows beyond its limit is ended' },
      { file: 'test/process/limits.test.ts', says: 'a plugin cannot hide what it writes below folders too deep' },
    ],
  },
  {
    id: 'A11',
    attack: 'asks for a path that means another one: `..`, `//`, wildcards, `/proc/self/root`, a NUL',
    defence: 'A path has one spelling; any other is refused with the manifest.',
    outcome: everywhere,
    error: '`MANIFEST_INVALID` or `GRANT_INVALID`',
    audit: '`refused` at a launch',
    elsewhere: [
      { file: 'test/unit/host/permit/risk.test.ts', says: "'/home/u/**/../..'" },
      { file: host, says: 'folders that no plugin is ever shown are refused at the installation' },
    ],
  },
  {
    id: 'A12',
    attack: 'opens settings of the kernel for writing',
    defence: 'It never runs as root, has no capability, and sees /proc/sys read-only.',
    outcome: everywhere,
    error: '`EROFS` or `EACCES`',
    audit: null,
    probes: [
      {
        language: python,
        code: `os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)`,
        refused: /^error (?:EROFS|EACCES|ENOENT)$/,
        open: /^ok \d+$/,
        controlAsRootOnly: true,
      },
    ],
    elsewhere: [{ file: 'test/process/confinement.test.ts', says: 'kernel settings cannot be opened for writing' }],
  },
  {
    id: 'A13',
    attack: 'mounts, remounts, or makes a namespace in which it is root',
    defence: 'No capability, and the filter refuses mount, unshare, setns and clone with new namespaces.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'possible' },
    error: '`EPERM`, `ENOSYS`',
    audit: null,
    probes: [
      {
        // unshare(CLONE_NEWUSER), in a child that then ends.
        language: python,
        code: `run(sys.executable, '-c', "import ctypes,sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) & 1)")`,
        refused: /^(?:ok 1 |error \w+)$/,
        open: /^ok 0 $/,
      },
      {
        language: python,
        // A mount that nobody can make: without the filter its target is looked for first.
        code: `syscall(165, 'none', '$shared/nowhere', 'tmpfs', 0, 0)`,
        x64Only: true,
        refused: /^error EPERM$/,
        open: /^error ENOENT$/,
      },
    ],
  },
  {
    id: 'A14',
    attack: "reads another plugin's data, or the socket of its proxy, by their paths",
    defence: 'Neither is mounted. As root each plugin has a uid of its own besides, and folders of mode 0700.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'partly' },
    error: '`ENOENT`, `EACCES`',
    audit: null,
    probes: [
      {
        language: python,
        code: `open('$other/secret').read()`,
        refused: /^error (?:ENOENT|EACCES)$/,
        open: /^ok hunter2$/,
        // Under a root host it is another user's; under yours it is your own.
        onRung: { none: { root: /^error EACCES$/, user: /^ok hunter2$/ } },
      },
    ],
  },
];
