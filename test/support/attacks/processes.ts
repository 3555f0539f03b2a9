import { type Attack, everywhere, sandboxed } from './row.ts';

const python = 'python' as const;
const attacks = 'test/process/attacks.test.ts';
const limits = 'test/process/limits.test.ts';
const life = 'test/process/process-life.test.ts';

/** Secrets, other processes, the kernel, and the machine's time and memory. */
export const processAttacks: readonly Attack[] = [
  {
    id: 'A20',
    attack: 'looks for secrets in environments: its own, and that of whatever started it',
    defence: "It starts with an empty environment, and so does its sandbox's first process.",
    outcome: everywhere,
    error: '(absent)',
    audit: null,
    probes: [
      {
        language: python,
        code: `readable('/proc/self/environ') + readable('/proc/1/environ')`,
        refused: /^(?!.*hunter2)ok .*MMM_PLUGIN=/s,
        open: /HOST_SECRET=hunter2/,
      },
      {
        language: 'javascript',
        code: '[process.env.HOST_SECRET, process.env.SHARED_NAME].map(String).join("")',
        refused: /^ok (?:undefined)+$/,
        open: /^ok hunter2shared$/,
        granted: /^ok undefinedshared$/,
      },
      {
        language: python,
        code: `'hunter2' in readable('/proc/self/cmdline') + readable('/proc/1/cmdline') + str(dict(os.environ))`,
        refused: /^ok False$/,
        open: /^ok True$/,
      },
    ],
  },
  {
    id: 'A21',
    attack: 'uses a descriptor that the program around the host had open',
    defence: 'Each descriptor the host inherited is replaced by an empty one.',
    outcome: everywhere,
    error: '(absent)',
    audit: null,
    elsewhere: [
      { file: attacks, says: 'a descriptor that the program around the host inherited does not reach a plugin' },
      { file: life, says: 'descriptors the host inherited are sealed before they reach a plugin' },
    ],
  },
  {
    id: 'A22',
    attack: "reads the environment or the memory of somebody else's process",
    defence: 'Its process namespace has nobody else in it.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'partly' },
    error: '`ENOENT`',
    audit: null,
    probes: [
      {
        language: python,
        code: `open('/proc/$pid/environ').read()`,
        refused: /^error (?:ENOENT|EACCES)$/,
        open: /OTHER_SECRET=hunter2/,
        // Without a sandbox it still has a namespace, where the machine lets it.
        onRung: { none: /^error ENOENT$/ },
      },
    ],
    elsewhere: [
      { file: 'test/process/confinement.test.ts', says: 'the environment of another process cannot be read' },
    ],
  },
  {
    id: 'A23',
    attack: 'sends signals to processes of the host and of others',
    defence: 'Its process namespace has nobody else in it.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'partly' },
    error: '`ESRCH`',
    audit: null,
    probes: [
      {
        language: python,
        code: `os.kill($pid, 0)`,
        refused: /^error (?:ESRCH|EPERM)$/,
        open: /^ok None$/,
        onRung: { none: /^error ESRCH$/ },
      },
    ],
    elsewhere: [
      { file: 'test/process/confinement.test.ts', says: 'another process can be neither seen nor signalled' },
      { file: 'test/support/hostile/processes.ts', says: 'kills its parent' },
    ],
  },
  {
    id: 'A24',
    attack: 'traces a process, or reads its memory or its descriptors',
    defence: 'The system call filter refuses ptrace, process_vm_readv and pidfd_getfd.',
    outcome: sandboxed,
    error: '`EPERM`',
    audit: null,
    probes: [
      {
        // PTRACE_TRACEME and process_vm_readv of itself, each in a child.
        language: python,
        code: `run(sys.executable, '-c', "import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) & 1)")`,
        refused: /^ok 1 $/,
        open: /^ok 0 $/,
      },
      {
        language: python,
        code: `target = ctypes.create_string_buffer(b'x' * 8)
vector = struct.pack('QQ', ctypes.addressof(target), 8)
held = ctypes.create_string_buffer(vector)
result = syscall(310, os.getpid(), ctypes.addressof(held), 1, ctypes.addressof(held), 1, 0)`,
        x64Only: true,
        refused: /^error EPERM$/,
        open: /^ok 8$/,
      },
    ],
    elsewhere: [{ file: 'test/process/debugger.test.ts', says: 'a plugin that traces itself gains nothing by it' }],
  },
  {
    id: 'A25',
    attack: 'leaves a daemon behind: forked twice, in a session of its own, ignoring every signal',
    defence: 'Its process namespace ends with it, and it ends with the host, also when that is killed.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'partly' },
    error: '(ended)',
    audit: null,
    elsewhere: [
      { file: life, says: 'a grandchild that left its session is gone after a stop' },
      { file: life, says: 'a kill -9 of the host leaves nothing behind' },
      { file: 'test/support/hostile/processes.ts', says: 'leaves a daemon and exits' },
    ],
  },
  {
    id: 'A26',
    attack: 'leaves a daemon behind where no namespace ends it',
    defence: 'It is found by the environment that it inherited, when its plugin ends or the next host opens.',
    outcome: { bubblewrap: 'refused', landlock: 'partly', none: 'partly' },
    error: '(ended, unless it emptied its environment)',
    audit: null,
    elsewhere: [
      { file: 'test/process/reap.test.ts', says: 'what left its session is gone when its plugin is stopped' },
    ],
  },
  {
    id: 'A27',
    attack: 'forks without end',
    defence: 'The number of its processes is limited by the kernel; who stays at it is ended.',
    outcome: { bubblewrap: 'refused', landlock: 'partly', none: 'partly' },
    error: '`EAGAIN`, then ended',
    audit: null,
    elsewhere: [{ file: limits, says: 'a fork bomb stays under its limit and is ended for it' }],
  },
  {
    id: 'A28',
    attack: 'takes memory without end, alone or by many processes',
    defence: 'The kernel bounds each process; all together are measured, and ended when they are over.',
    outcome: everywhere,
    error: '`PLUGIN_EXITED` (memory)',
    audit: null,
    elsewhere: [
      { file: limits, says: 'a plugin that takes memory without end in JavaScript' },
      { file: limits, says: 'a plugin that takes memory without end in Python is ended for that' },
      { file: limits, says: 'processes that are each within the limit are ended when they are over it together' },
    ],
  },
  {
    id: 'A29',
    attack: 'spins in a call and never answers',
    defence: 'A call has a deadline; processor time is limited; other plugins have processes of their own.',
    outcome: everywhere,
    error: '`CALL_TIMEOUT`, `PLUGIN_EXITED` (cpu)',
    audit: null,
    elsewhere: [
      { file: limits, says: 'a plugin that uses more processor time than it may is ended for that' },
      { file: 'test/support/hostile/wire.ts', says: 'never answers' },
    ],
  },
  {
    id: 'A30',
    attack: 'ignores the request to end and every signal that can be ignored',
    defence: 'The ladder ends in SIGKILL, which cannot be.',
    outcome: everywhere,
    error: '(ended)',
    audit: null,
    elsewhere: [
      { file: life, says: 'the ladder ends a plugin that ignores its input and SIGTERM' },
      { file: 'test/support/hostile/processes.ts', says: 'ignores every signal' },
    ],
  },
  {
    id: 'A31',
    attack: 'tries large and seldom used parts of the kernel: keyrings, bpf, io_uring, userfaultfd, other sockets',
    defence: 'The system call filter does not let them through; of sockets there are IPv4, IPv6 and netlink.',
    outcome: sandboxed,
    error: '`EPERM`, `ENOSYS`, `EAFNOSUPPORT`',
    audit: null,
    probes: [
      // keyctl(KEYCTL_GET_KEYRING_ID, the session keyring, create)
      {
        language: python,
        code: `syscall(250, 0, -3, 1) > 0`,
        x64Only: true,
        refused: /^error EPERM$/,
        open: /^ok True$/,
      },
      {
        language: python,
        code: `(lambda held: os.close(syscall(425, 1, ctypes.addressof(held))))(ctypes.create_string_buffer(120))`,
        x64Only: true,
        refused: /^error ENOSYS$/,
        // Many machines switch it off.
        open: /^ok None$|^error (?:EPERM|ENOSYS)$/,
      },
      {
        language: python,
        code: `syscall(321, 0, 0, 0)`,
        x64Only: true,
        refused: /^error EPERM$/,
        open: /^error (?:EFAULT|EINVAL|E2BIG|EPERM)$/,
      },
      {
        language: python,
        code: `socket.socket(17, socket.SOCK_RAW).close()`,
        refused: /^error EAFNOSUPPORT$/,
        open: /^ok None$/,
        controlAsRootOnly: true,
        onRung: { none: /^error EPERM$/ },
      },
      {
        language: python,
        code: `socket.socket(40, socket.SOCK_STREAM).close()`,
        refused: /^error EAFNOSUPPORT$/,
        open: /^(?:ok None|error EAFNOSUPPORT)$/,
      },
      // The address family that must go on working.
      {
        language: python,
        code: `socket.socket(socket.AF_INET6).close()`,
        refused: /^ok None$/,
        open: /^ok None$/,
        onRung: { landlock: /^error EAFNOSUPPORT$/ },
      },
    ],
  },
  {
    id: 'A32',
    attack: 'asks for a variable that makes programs load code, such as `LD_PRELOAD` or `NODE_OPTIONS`',
    defence: 'Such variables are never granted, and no wildcard reaches them.',
    outcome: everywhere,
    error: '`GRANT_INVALID`',
    audit: '`refused` at a launch',
    elsewhere: [
      { file: 'test/unit/host/permit/risk.test.ts', says: "'NODE_OPTIONS'" },
      { file: 'test/process/attacks-staged.test.ts', says: 'a variable that loads code is not granted' },
    ],
  },
  {
    id: 'A33',
    attack: 'runs a program that it was not granted',
    defence: 'Only its own program and granted ones are visible. One that it brings along runs in the same sandbox.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'possible' },
    error: '`ENOENT` (Landlock: `EACCES`)',
    audit: null,
    probes: [
      {
        language: python,
        code: `run('/usr/bin/id', '-un') != ''`,
        refused: /^error (?:ENOENT|EACCES)$/,
        open: /^ok True$/,
        granted: /^ok True$/,
      },
      {
        language: 'javascript',
        code: `require('node:child_process').execFileSync('/usr/bin/true').length`,
        refused: /^error (?:ENOENT|EACCES)$/,
        open: /^ok 0$/,
      },
    ],
    elsewhere: [
      { file: 'test/process/confinement.test.ts', says: 'only its own program and its libraries are visible' },
      { file: attacks, says: 'the interpreter of a script is looked up by its bare name' },
    ],
  },
  {
    id: 'A34',
    attack: 'crashes again and again',
    defence: 'It is started ever later, then not any more until somebody says so.',
    outcome: everywhere,
    error: '`PLUGIN_UNAVAILABLE`',
    audit: null,
    elsewhere: [
      { file: 'test/process/lifecycle.test.ts', says: 'a plugin that crashes again and again is quarantined' },
    ],
  },
  {
    id: 'A35',
    attack: 'floods its log, with escape sequences',
    defence: 'Lines and bytes a second are limited; what is shown is escaped; other plugins are read in turns.',
    outcome: everywhere,
    error: '(dropped, and counted)',
    audit: null,
    elsewhere: [{ file: attacks, says: 'holds up neither the host nor another plugin' }],
  },
  {
    id: 'D01',
    attack: 'listens to a microphone or a camera',
    defence: 'No permission shows a device that records.',
    outcome: { bubblewrap: 'refused', landlock: 'refused', none: 'possible' },
    error: '`ENOENT`',
    audit: null,
    elsewhere: [{ file: 'test/process/devices.test.ts', says: 'what records is not shown' }],
  },
];
