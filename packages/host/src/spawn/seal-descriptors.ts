import { closeSync, readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC as /proc/PID/fdinfo shows it. */
const closeOnExec = 0o2000000;

/**
 * Closes descriptors this process inherited that would pass on to every plugin: files and sockets of whoever started
 * the host, which no sandbox takes back. Node marks its own, so only inherited ones are without the mark. To be called
 * once, before anything else is opened. Returns what it closed. Does nothing where there is no /proc.
 */
export function sealDescriptors(keep: readonly number[] = []): number[] {
  const closed: number[] = [];
  for (const fd of inheritedDescriptors()) {
    if (fd < 3 || keep.includes(fd)) continue;
    try {
      closeSync(fd);
      closed.push(fd);
    } catch {
      // Gone meanwhile: the descriptor that listed the folder is one of them.
    }
  }
  return closed;
}

/** Descriptors that a child would inherit. */
export function inheritedDescriptors(): number[] {
  return list('/proc/self/fdinfo').filter(isInherited);
}

/** Numbers that were seen to be closed in children. */
const sealed = new Set<number>();

/**
 * The same at every start of a plugin, when there may be a thousand descriptors and looking at all would take 50 ms: a
 * number that was once closed in children is taken to be so for ever. It is Node that uses it anew, and Node marks its
 * own; only a native module could open one there that is not.
 */
export function leakingDescriptors(): number[] {
  return list('/proc/self/fdinfo').filter((fd) => {
    if (sealed.has(fd)) return false;
    if (isInherited(fd)) return true;
    sealed.add(fd);
    return false;
  });
}

function isInherited(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(read(`/proc/self/fdinfo/${fd}`))?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
}

function list(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
