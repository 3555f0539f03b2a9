import type { HostileRow } from './row.ts';

const ends = 'ends-at-a-moment';
const pipes = 'breaks-its-pipes';
const stays = 'will-not-go';
/**
 * Without a sandbox a plugin may be the first process of a namespace, which its own signals do not reach: what it meant
 * to die of shows as something else.
 */
const killed = /^PLUGIN_EXITED (SIGKILL|code 137)$/;
const aborted = /^PLUGIN_EXITED (SIGABRT|SIGSEGV|SIGILL)$/;

/** What a plugin does with its process: it ends, it stays, it breaks its pipes. */
export const processRows: readonly HostileRow[] = [
  { that: 'exits before hello', fixture: ends, words: 'before 3', start: /^LAUNCH_FAILED exited with code 3/ },
  { that: 'exits before hello as if all were well', fixture: ends, words: 'before 0', start: /^LAUNCH_FAILED/ },
  { that: 'faults before hello', fixture: ends, words: 'before SIGSEGV', start: /^LAUNCH_FAILED.* SIGSEGV/ },
  {
    that: 'is killed before hello',
    fixture: ends,
    words: 'before SIGKILL',
    start: /^LAUNCH_FAILED.* (SIGKILL|code 137)/,
  },
  { that: 'exits in the middle of hello', fixture: ends, words: 'at 4', start: /^LAUNCH_FAILED exited with code 4/ },
  { that: 'faults in the middle of hello', fixture: ends, words: 'at SIGSEGV', start: /^LAUNCH_FAILED.* SIGSEGV/ },
  { that: 'exits in a call', fixture: ends, words: 'call 3', calls: ['PLUGIN_EXITED code 3', 'PLUGIN_EXITED code 3'] },
  { that: 'exits in a call with code 255', fixture: ends, words: 'call 255', calls: ['PLUGIN_EXITED code 255'] },
  { that: 'exits in a call as if all were well', fixture: ends, words: 'call 0', calls: ['PLUGIN_EXITED clean'] },
  { that: 'faults in a call', fixture: ends, words: 'call SIGSEGV', calls: ['PLUGIN_EXITED SIGSEGV'] },
  { that: 'aborts in a call', fixture: ends, words: 'call SIGABRT', calls: [aborted] },
  { that: 'is killed in a call', fixture: ends, words: 'call SIGKILL', calls: [killed] },
  { that: 'exits right after hello', fixture: ends, words: 'after 3', calls: [/^PLUGIN_(EXITED|UNAVAILABLE)/] },
  { that: 'faults right after hello', fixture: ends, words: 'after SIGSEGV', calls: [/^PLUGIN_(EXITED|UNAVAILABLE)/] },

  { that: 'closes stdout', fixture: pipes, words: 'closes-stdout', calls: ['CALL_TIMEOUT'], timeoutMs: 300 },
  { that: 'closes stdin', fixture: pipes, words: 'closes-stdin', calls: ['CALL_TIMEOUT'], timeoutMs: 300 },
  { that: 'closes all its pipes', fixture: pipes, words: 'closes-all', calls: ['CALL_TIMEOUT'], timeoutMs: 300 },
  { that: 'closes stderr', fixture: pipes, words: 'closes-stderr', calls: ['well', 'well'] },
  {
    that: 'reads no more',
    fixture: pipes,
    words: 'never-reads',
    calls: ['CALL_TIMEOUT', 'CALL_TIMEOUT'],
    timeoutMs: 300,
  },
  { that: 'makes the pipes non-blocking', fixture: pipes, words: 'makes-stdin-nonblocking', calls: ['well'] },
  {
    that: 'closes stdin and answers',
    fixture: pipes,
    words: 'closes-stdin-and-answers',
    calls: ['well', 'CALL_TIMEOUT'],
    timeoutMs: 500,
  },

  { that: 'ignores every signal', fixture: stays, words: 'ignores-signals' },
  { that: 'stops itself', fixture: stays, words: 'stops-itself', calls: ['CALL_TIMEOUT'], timeoutMs: 300 },
  { that: 'stops its whole group', fixture: stays, words: 'stops-its-group', calls: ['CALL_TIMEOUT'], timeoutMs: 300 },
  { that: 'kills its whole group', fixture: stays, words: 'kills-its-group', calls: [killed] },
  { that: 'leaves a child', fixture: stays, words: 'forks', calls: ['well', 'well'] },
  { that: 'leaves a child and exits', fixture: stays, words: 'forks-and-exits', calls: ['PLUGIN_EXITED code 3'] },
  { that: 'leaves a daemon', fixture: stays, words: 'forks-twice', calls: ['well', 'well'] },
  {
    that: 'leaves a daemon and exits',
    fixture: stays,
    words: 'forks-twice-and-exits',
    calls: ['PLUGIN_EXITED code 3'],
  },
  { that: 'kills its parent', fixture: stays, words: 'kills-its-parent', only: ['process', 'its parent is the host'] },
  { that: 'hides its name and its memory', fixture: stays, words: 'becomes-nameless', calls: ['well', 'well'] },
];
