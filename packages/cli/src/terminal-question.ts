import { createInterface } from 'node:readline';
import type { UserQuestion } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import type { Io } from './io.ts';
import { note } from './output.ts';

type TerminalInput = Io['stdin'] & { setRawMode?(on: boolean): unknown };

/**
 * Puts a question of a plugin to the person at the terminal, its words quoted and escaped. An answer that is none is
 * asked for again. Rejects when the person turns away, when the input ends and when the signal aborts.
 */
export async function putQuestion(io: Io, question: UserQuestion, signal: AbortSignal): Promise<string | boolean> {
  const { plugin, message, kind, options } = question;
  note(io, `${safeText(plugin, 100)} asks: "${quoted(message)}"`);
  for (const [index, option] of options.entries()) note(io, `  ${index + 1}  "${quoted(option)}"`);
  if (kind === 'secret') return await hiddenLine(io, 'Answer (not shown): ', signal);
  const read = readAnswer(question);
  return await visibleLine(io, promptOf(question), read, signal);
}

function promptOf({ kind, options }: UserQuestion): string {
  if (kind === 'confirm') return '[y]es, [N]o: ';
  return kind === 'select' ? `Number, 1 to ${options.length}: ` : 'Answer: ';
}

/** Undefined for what is no answer. */
function readAnswer({ kind, options }: UserQuestion): (line: string) => string | boolean | undefined {
  if (kind === 'confirm') {
    return (line) => {
      const word = line.trim().toLowerCase();
      if (word === '' || word === 'n' || word === 'no') return false;
      return word === 'y' || word === 'yes' ? true : undefined;
    };
  }
  if (kind === 'select') return (line) => (/^\d+$/.test(line.trim()) ? options[Number(line.trim()) - 1] : undefined);
  return (line) => line;
}

/** Lines, not keys: the terminal edits them. */
function visibleLine(
  io: Io,
  prompt: string,
  read: (line: string) => string | boolean | undefined,
  signal: AbortSignal,
): Promise<string | boolean> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: io.stdin, terminal: false });
    const stop = watchForEnd(io, signal, (error) => {
      lines.close();
      reject(error);
    });
    lines.on('close', () => stop(new Error('the input ended')));
    lines.on('line', (line) => {
      const answer = read(line);
      if (answer === undefined) {
        io.stderr.write(prompt);
        return;
      }
      stop();
      lines.close();
      resolve(answer);
    });
    io.stderr.write(prompt);
  });
}

/** Keys, so that the terminal does not show them. */
function hiddenLine(io: Io, prompt: string, signal: AbortSignal): Promise<string> {
  const stdin: TerminalInput = io.stdin;
  return new Promise((resolve, reject) => {
    let text = '';
    const end = (): void => {
      stdin.off('data', onKeys);
      stdin.pause();
      stdin.setRawMode?.(false);
      io.stderr.write('\n');
    };
    const stop = watchForEnd(io, signal, (error) => {
      end();
      reject(error);
    });
    const onKeys = (chunk: Buffer | string): void => {
      for (const key of String(chunk)) {
        if (key === '\u0003' || key === '\u0004') {
          stop(new Error('the user turned away'));
          return;
        }
        if (key === '\r' || key === '\n') {
          stop();
          end();
          resolve(text);
          return;
        }
        if (key === '\u007f' || key === '\b') text = [...text].slice(0, -1).join('');
        else if (key >= ' ') text += key;
      }
    };
    // Before the question invites to type: what comes earlier would be shown.
    stdin.setRawMode?.(true);
    stdin.on('data', onKeys);
    stdin.resume();
    io.stderr.write(prompt);
  });
}

/** Calls `onEnd` once, when nobody answers any more; what it returns ends the watch, with an error or without. */
function watchForEnd(io: Io, signal: AbortSignal, onEnd: (error: Error) => void): (error?: Error) => void {
  let isOver = false;
  const stop = (error?: Error): void => {
    if (isOver) return;
    isOver = true;
    signal.removeEventListener('abort', onGone);
    io.interrupted.removeEventListener('abort', onInterrupt);
    if (error !== undefined) onEnd(error);
  };
  const onGone = (): void => stop(new Error('the call has ended'));
  const onInterrupt = (): void => stop(new Error('the user turned away'));
  signal.addEventListener('abort', onGone, { once: true });
  io.interrupted.addEventListener('abort', onInterrupt, { once: true });
  // In a turn of its own, when whoever asks has everything in place.
  if (signal.aborted || io.interrupted.aborted) queueMicrotask(onGone);
  return stop;
}

/** So that nothing in it looks like its end. */
function quoted(text: string): string {
  return safeText(text).replaceAll('"', "'");
}
