import type { ExitReason } from '@mmm/protocol';

/** What to do about an end of a plugin, by its kind; the text may name the plugin as `<plugin>`. */
const advice: { readonly [K in ExitReason['kind']]: string } = {
  requested: '',
  clean: 'It ended by itself. A plugin runs until its standard input ends: its author should read on until then.',
  exit: 'Read the lines it printed; `mmm plugin logs <plugin>` has more of them.',
  signal: 'It crashed in machine code. Send its author the lines it printed and what you called it with.',
  protocol: 'Its author must mend what it sends; the cause says what that was.',
  unresponsive: 'It stopped answering in the middle of its work. If that was right, its author should report progress.',
  sandbox: 'Not one byte of it ran. Run `mmm doctor`: it says what the sandbox lacks on this machine.',
  start_timeout: 'Its author should answer initialize first and prepare later, or raise start_timeout_s in [limits].',
  memory: 'If it needs that much, raise the limit that the cause names; otherwise its author has a leak to find.',
  cpu: 'If it needs that much, raise the limit that the cause names; otherwise it turns in circles.',
  processes: 'If it needs that many, raise the limit that the cause names; otherwise it starts them without end.',
  disk: 'Delete what it does not need from its data folder, or raise the limit that the cause names.',
};

/** Signals that say more than that it crashed. */
const signals: Readonly<Record<string, string>> = {
  SIGKILL: 'Something outside of it ended it: somebody by hand, or the kernel when memory was short (see `dmesg`).',
  SIGTERM: 'Somebody or something else asked it to end: not this host.',
  SIGSYS: 'It made a system call that no plugin may make. Its author must do without it.',
  SIGXFSZ: 'It wrote a file larger than it may. Raise its limit, or have its author write less.',
  SIGXCPU: 'It used more processor time than it may.',
};

/** The next step after an end, for a person; empty when nothing is to be done. `detail` as `describeExit` says it. */
export function adviceAfterExit(plugin: string, { kind, detail }: { kind: string; detail: string }): string {
  const signal = kind === 'signal' ? /\bSIG[A-Z0-9]+/.exec(detail)?.[0] : undefined;
  const own = signal === undefined ? undefined : signals[signal];
  const text = own ?? (Object.hasOwn(advice, kind) ? advice[kind as ExitReason['kind']] : advice.exit);
  return text.replaceAll('<plugin>', plugin);
}
