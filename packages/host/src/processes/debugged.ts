import { readFileSync } from 'node:fs';

/** Processes of one plugin that are looked at, and generations up from a debugger: more are no program's. */
const lookedAtMax = 256;

/**
 * Whether somebody outside debugs a process of this tree, such as with `gdb -p`. A plugin that traces itself does not
 * count: it would never be found unresponsive.
 */
export function isTraced(root: number): boolean {
  const queue = [root];
  for (let looked = 0; looked < lookedAtMax; looked++) {
    const pid = queue.shift();
    if (pid === undefined) return false;
    const tracer = fieldOf(pid, 'TracerPid');
    if (tracer !== undefined && tracer !== 0 && !isWithin(tracer, root)) return true;
    queue.push(...childrenOf(pid));
  }
  return false;
}

function isWithin(pid: number, root: number): boolean {
  let ancestor: number | undefined = pid;
  for (let steps = 0; steps < lookedAtMax && ancestor !== undefined && ancestor > 1; steps++) {
    if (ancestor === root) return true;
    ancestor = fieldOf(ancestor, 'PPid');
  }
  return false;
}

function fieldOf(pid: number, field: 'TracerPid' | 'PPid'): number | undefined {
  const value = new RegExp(`^${field}:\\s*(\\d+)$`, 'm').exec(read(`/proc/${pid}/status`))?.[1];
  return value === undefined ? undefined : Number(value);
}

function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`).trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** Empty for a process that is gone. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
