import { type Attack, everywhere } from './row.ts';

const life = 'test/process/process-life.test.ts';

/** The host itself: where it cannot confine, and what lies around it. */
export const hostAttacks: readonly Attack[] = [
  {
    id: 'A101',
    attack: 'brings a schema that takes for ever, refers to itself or reads files',
    defence: 'Schemas have a size, are compiled without code of theirs, and reach nothing outside.',
    outcome: everywhere,
    error: '`RESULT_INVALID` that names the schema',
    audit: null,
    elsewhere: [
      { file: 'test/unit/host/call/schema.test.ts', says: "A schema that cannot be used is the plugin's mistake" },
      { file: 'test/unit/host/call/schema.test.ts', says: 'A schema file over the limit is refused' },
    ],
  },
  {
    id: 'A105',
    attack: "has a friend: another user of the machine, who connects to the daemon's socket",
    defence: "The socket is its user's alone, in a folder that nobody else may enter.",
    outcome: everywhere,
    error: '`EACCES`',
    audit: null,
    elsewhere: [
      { file: 'test/process/attacks-staged.test.ts', says: "another user gets nowhere near a daemon's socket" },
    ],
  },
  {
    id: 'A107',
    attack: 'finds two daemons at work on one home, or the lock of one that died',
    defence: 'One process holds the home; a lock of the dead holds nobody up.',
    outcome: everywhere,
    error: '`DAEMON_FAILED`',
    audit: null,
    elsewhere: [
      { file: 'test/process/daemon.test.ts', says: 'a second daemon of a home is refused with a sentence that names' },
      { file: 'test/process/daemon.test.ts', says: 'of many daemons that start at the same moment exactly one serves' },
    ],
  },
  {
    id: 'A110',
    attack: 'is started where the sandbox is missing or does not work',
    defence: 'It is not started, unless you named it for that; what is enforced is shown and recorded.',
    outcome: everywhere,
    error: '`SANDBOX_UNAVAILABLE`',
    audit: '`refused`',
    elsewhere: [
      { file: life, says: "without a sandbox and without the user's word nothing starts" },
      { file: life, says: 'a sandbox that fails on this machine is named with its reason' },
      { file: 'test/process/egress.test.ts', says: 'without a forwarder a granted host refuses the launch' },
    ],
  },
];
