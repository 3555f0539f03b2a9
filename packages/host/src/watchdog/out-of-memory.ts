/** What programs print when they get no more memory: V8, Python, C++, Go, Rust, Java, and the C library's own words. */
const refused = new RegExp(
  [
    'out of memory',
    'Array buffer allocation failed',
    'MemoryError',
    'std::bad_alloc',
    'OutOfMemoryError',
    'memory allocation of \\d+ bytes failed',
    'Cannot allocate memory',
  ].join('|'),
);
/** What a program that is denied memory and did not expect it dies of. */
const signals: ReadonlySet<string> = new Set(['SIGABRT', 'SIGTRAP', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGKILL']);
/**
 * So much of its memory it had at its end, by what the last looks saw. V8 asks for 16 MB and more at once, so that what
 * it was refused may be much of a small limit.
 */
const nearShare = 0.7;

export interface UnexplainedEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderrTail: string;
  /** The most that was seen or asked for, and if it went on as it was seen to. */
  readonly memoryPeakBytes: number;
  readonly memoryLimitBytes: number;
}

/**
 * Whether a plugin ended because the kernel gave it no more memory. The kernel only refuses, and what the program makes
 * of that is an exit like another: told by its last lines, or by a sudden death with most of its memory in use.
 */
export function ranOutOfMemory(end: UnexplainedEnd): boolean {
  if (end.signal === null && (end.code === null || end.code === 0)) return false;
  if (end.signal !== null && !signals.has(end.signal)) return false;
  if (refused.test(end.stderrTail)) return true;
  return end.signal !== null && end.memoryPeakBytes >= end.memoryLimitBytes * nearShare;
}
