/** Which mechanism stands around the plugin: the rungs of the ladder, the strongest first. */
export type Rung = 'bubblewrap' | 'landlock' | 'none';

/** What an attack comes to. `partly`: see the words of the row. */
export type Outcome = 'refused' | 'partly' | 'possible';

/** Something a plugin does and is told, by the program of `test/fixtures/plugins/does-as-told-*`. */
export interface Probe {
  readonly language: 'python' | 'javascript';
  /** An expression, or statements that set `result` (Python). `$name` stands for a fact of the world. */
  readonly code: string;
  /** What the plugin gets when it is refused: the whole answer. */
  readonly refused: RegExp;
  /** What the same code answers where nothing stands in its way: outside, and where the row says `possible`. */
  readonly open: RegExp;
  /** The same code in the plugin that was granted it, confined as well. Absent where nothing can be granted. */
  readonly granted?: RegExp;
  /** Where the control is no evidence: as an ordinary user, whom the kernel refuses the same thing anyway. */
  readonly controlAsRootOnly?: true;
  /** It names system calls by their numbers on x64. */
  readonly x64Only?: true;
  /** Answered on these rungs otherwise than by `refused` or `open`; another answer to a root host's plugin. */
  readonly onRung?: Partial<Readonly<Record<Rung, RegExp | { readonly root: RegExp; readonly user: RegExp }>>>;
}

/** A test of another file that shows it, by words of its title or of the table it is a row of. */
export interface Elsewhere {
  readonly file: string;
  readonly says: string;
}

/** One attack, what holds it off, and the proof. */
export interface Attack {
  readonly id: string;
  /** The rest of a sentence that begins with "A plugin". */
  readonly attack: string;
  readonly defence: string;
  readonly outcome: Readonly<Record<Rung, Outcome>>;
  /** What the plugin gets, or the host throws. */
  readonly error: string;
  /** The action in the audit log; null where the kernel refuses and the host never hears of it. */
  readonly audit: string | null;
  readonly probes?: readonly Probe[];
  readonly elsewhere?: readonly Elsewhere[];
}

/** The usual three: kept off by a sandbox of either kind, and by nothing without one. */
export const sandboxed = { bubblewrap: 'refused', landlock: 'refused', none: 'possible' } as const;
/** What the host itself refuses, however a plugin is confined. */
export const everywhere = { bubblewrap: 'refused', landlock: 'refused', none: 'refused' } as const;
