import { createInterface } from 'node:readline';
import type {
  Clock,
  PermissionPrompter,
  PermissionSummary,
  PluginInfo,
  Prompter,
  riskInfo,
  UserQuestion,
} from '@mmm/host';
import { safeText } from '@mmm/host/display';
import type { Io } from './io.ts';
import { type GlobalOptions, note, styler } from './output.ts';
import { putQuestion } from './terminal-question.ts';

/** What was typed before anybody can have read the question is no answer to it. */
const deafMs = 300;

type Request = Parameters<PermissionPrompter['ask']>[0];
type Answer = Awaited<ReturnType<PermissionPrompter['ask']>>;

/** Somebody is there to be asked, and nothing says not to. */
export function mayAsk(io: Io, options: GlobalOptions): boolean {
  const ci = (io.env.CI ?? '').toLowerCase();
  return (
    io.stdin.isTTY === true &&
    io.stderr.isTTY === true &&
    options.json !== true &&
    options.interactive !== false &&
    (ci === '' || ci === 'false' || ci === '0')
  );
}

/** Asks at the terminal. Only what is ours decides what is shown where; what the author says comes quoted, and last. */
export class TerminalPrompter implements Prompter {
  readonly #io: Io;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #timers: Pick<Clock, 'after'>;
  readonly #once: boolean;
  #asking = 0;

  /** Without `once` only what is stored can be answered: at an installation nothing runs. */
  constructor(io: Io, clock: Pick<Clock, 'monotonic' | 'after'>, options: { readonly once: boolean }) {
    this.#io = io;
    this.#clock = io.clock ?? clock;
    this.#timers = clock;
    this.#once = options.once;
  }

  /** Somebody reads a question: nothing of a plugin's may be written beside it. */
  get isAsking(): boolean {
    return this.#asking > 0;
  }

  /** `deny` also when the input ends or Ctrl-C is pressed. */
  async ask(request: Request): Promise<Answer> {
    const { riskInfo } = await import('@mmm/host');
    this.#asking += 1;
    try {
      note(this.#io, questionText(request, riskInfo, styler(this.#io, 'stderr')));
      const askedAtMs = this.#clock.monotonic();
      if ((await this.#drain()) === 'broken off') return 'deny';
      const choices = this.#once ? '[o]nce, [a]lways, [N]o' : '[a]lways, [N]o';
      const prompt = `Allow ${request.items.length === 1 ? 'this' : 'all of these'}? ${choices}: `;
      return await this.#answer(prompt, askedAtMs);
    } finally {
      this.#asking -= 1;
    }
  }

  /** A question of a plugin during a call. Rejects when the person turns away. */
  async prompt(question: UserQuestion, signal: AbortSignal): Promise<string | boolean> {
    this.#asking += 1;
    try {
      if ((await this.#drain()) === 'broken off') throw new Error('the user turned away');
      return await putQuestion(this.#io, question, signal);
    } finally {
      this.#asking -= 1;
    }
  }

  /**
   * Takes away what was typed ahead. Without its Enter it would wait in the terminal's own line, and the Enter that
   * means "no" would send it; so the terminal gives up single keys until the question can have been read.
   */
  #drain(): Promise<'done' | 'broken off'> {
    const stdin: Io['stdin'] & { setRawMode?(on: boolean): unknown } = this.#io.stdin;
    if (stdin.isTTY !== true || stdin.setRawMode === undefined) return Promise.resolve('done');
    return new Promise((resolve) => {
      let isBrokenOff = false;
      const drop = (chunk: Buffer | string): void => {
        // In this mode the terminal makes no signal of Ctrl-C.
        if (String(chunk).includes('\u0003')) isBrokenOff = true;
      };
      stdin.setRawMode?.(true);
      stdin.on('data', drop);
      this.#timers.after(deafMs, () => {
        stdin.off('data', drop);
        stdin.pause();
        stdin.setRawMode?.(false);
        resolve(isBrokenOff ? 'broken off' : 'done');
      });
    });
  }

  #answer(prompt: string, askedAtMs: number): Promise<Answer> {
    const { stdin, stderr, interrupted } = this.#io;
    return new Promise((resolve) => {
      // Lines, not keys: the terminal edits them and turns Ctrl-C into the signal that `interrupted` stands for.
      const lines = createInterface({ input: stdin, terminal: false });
      let isAnswered = false;
      const finish = (answer: Answer): void => {
        if (isAnswered) return;
        isAnswered = true;
        interrupted.removeEventListener('abort', turnAway);
        lines.close();
        resolve(answer);
      };
      const turnAway = (): void => {
        stderr.write('\n');
        finish('deny');
      };
      interrupted.addEventListener('abort', turnAway, { once: true });
      lines.on('close', () => finish('deny'));
      lines.on('line', (line) => {
        if (isAnswered || this.#clock.monotonic() - askedAtMs < deafMs) return;
        const answer = this.#parse(line);
        if (answer === undefined) stderr.write(prompt);
        else finish(answer);
      });
      stderr.write(prompt);
      if (interrupted.aborted) turnAway();
    });
  }

  /** Undefined for a word that is no answer: it is asked for again. */
  #parse(line: string): Answer | undefined {
    const word = line.trim().toLowerCase();
    if (word === '' || word === 'n' || word === 'no') return 'deny';
    if (word === 'a' || word === 'always') return 'always';
    return this.#once && (word === 'o' || word === 'once') ? 'once' : undefined;
  }
}

function questionText(request: Request, risks: typeof riskInfo, style: ReturnType<typeof styler>): string {
  const { plugin, version, publisher, fingerprint, items } = request;
  const signer = publisher === null ? 'without a signature' : `signed by "${quoted(publisher)}" (${fingerprint ?? ''})`;
  const lines = items.flatMap(({ key, risk, sentence, reason }) => [
    `  ${style(riskColour[risk], riskLabel[risk])} ${safeText(key, 300)}`,
    `    It could:        ${sentence}`,
    `    In general:      ${risks[risk].sentence}`,
    ...(reason === null ? [] : [`    Its author says: "${quoted(reason)}"`]),
  ]);
  return [`${style('bold', safeText(plugin, 100))} ${safeText(version, 40)}, ${signer}, asks for:`, ...lines].join(
    '\n',
  );
}

/** As wide as each other, and never from a plugin. */
const riskLabel = {
  low: '○ low risk     ',
  medium: '◐ medium risk  ',
  high: '● high risk    ',
  critical: '▲ CRITICAL RISK',
} as const;

const riskColour = { low: 'green', medium: 'yellow', high: 'red', critical: 'red' } as const;

/** So that nothing in it looks like its end. */
function quoted(text: string): string {
  return safeText(text).replaceAll('"', "'");
}

/** An installed plugin, or an update that waits. */
type Asking = Pick<PluginInfo, 'id' | 'version' | 'trust' | 'permissions'>;

/**
 * Asks about what an installed plugin requires and nobody has decided on: all that is not critical at once, each
 * critical permission by itself. Returns the keys that were allowed.
 */
export async function askForMissing(prompter: PermissionPrompter, info: Asking): Promise<readonly string[]> {
  const missing = info.permissions.filter(({ status }) => status === 'missing');
  const others = missing.filter(({ risk }) => risk !== 'critical');
  const critical = missing.filter(({ risk }) => risk === 'critical').map((one) => [one]);
  const allowed: string[] = [];
  for (const items of [...(others.length === 0 ? [] : [others]), ...critical]) {
    const answer = await prompter.ask(requestOf(info, items));
    // Without one of them it will not start, so the rest need not be asked.
    if (answer === 'deny') break;
    allowed.push(...items.map(({ key }) => key));
  }
  return allowed;
}

function requestOf(info: Asking, items: readonly PermissionSummary[]): Request {
  const { id, version, trust } = info;
  return { plugin: id, version, publisher: trust.keyName ?? null, fingerprint: trust.fingerprint ?? null, items };
}
