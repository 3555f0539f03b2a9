import { type BigIntStats, lstatSync, readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';

const nodeShape = z.strictObject({
  device: z.string(),
  inode: z.string(),
  /** Nanoseconds since 1970, or `0` where the disk does not keep it. Numbers of inodes are used again, this is not. */
  born: z.string(),
});
const placeShape = z.strictObject({
  /** As the grant spells it, with its placeholder replaced. */
  path: z.string(),
  kind: z.enum(['folder', 'file']),
  node: nodeShape,
  /** Of a file: its folder. */
  folder: nodeShape.optional(),
  owner: z.number(),
  /** How many names a file has. */
  links: z.number(),
  /** The run of the kernel: another one may number the same disk differently. */
  boot: z.string(),
});

/** Which object of which disk a path led to when somebody agreed to it: what it leads to can be changed by others. */
export type Place = z.infer<typeof placeShape>;
type NodeIdentity = z.infer<typeof nodeShape>;

/** A grant for `${project}` leads to another folder in each project. Of the rest only what was used last is known. */
const placesOfGrantMax = 32;

let thisBoot: string | undefined;

/** What is there now, at the end of all links; undefined for what does not exist and for what is no file or folder. */
export function placeAt(path: string): Place | undefined {
  try {
    const real = realpathSync(path);
    const status = lstatSync(real, { bigint: true });
    const common = { path, owner: Number(status.uid), links: Number(status.nlink), boot: bootId() };
    if (status.isDirectory()) return { ...common, kind: 'folder', node: identityOf(status) };
    if (!status.isFile()) return undefined;
    const folder = identityOf(lstatSync(dirname(real), { bigint: true }));
    return { ...common, kind: 'file', node: identityOf(status), folder };
  } catch {
    return undefined;
  }
}

/** Where it cannot be read, every look is taken to be in the same run. */
function bootId(): string {
  try {
    thisBoot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    thisBoot = '';
  }
  return thisBoot;
}

/**
 * Whether what is there now is what was agreed to. A folder must be the same one. A file may be another one in the same
 * folder, of the same owner and under this one name: so do editors save, and whoever could put it there could as well
 * have written into the old one.
 */
export function isSamePlace(agreed: Place, now: Place): boolean {
  if (agreed.kind !== now.kind) return false;
  const sameBoot = agreed.boot === now.boot;
  if (isSame(agreed.node, now.node, sameBoot)) return true;
  if (agreed.folder === undefined || now.folder === undefined) return false;
  return agreed.owner === now.owner && now.links === 1 && isSame(agreed.folder, now.folder, sameBoot);
}

/** The text that is kept of what one grant leads to, with this place as the newest. */
export function withPlace(text: string | null, place: Place): string {
  const others = parsePlaces(text).filter(({ path }) => path !== place.path);
  return JSON.stringify([place, ...others].slice(0, placesOfGrantMax));
}

/** Where that text says a path led to; undefined when it says nothing of it. */
export function agreedPlace(text: string | null, path: string): Place | undefined {
  return parsePlaces(text).find((place) => place.path === path);
}

/** Text that this mmm did not write says nothing. */
function parsePlaces(text: string | null): Place[] {
  if (text === null) return [];
  try {
    return z.array(placeShape).safeParse(JSON.parse(text)).data ?? [];
  } catch {
    return [];
  }
}

function identityOf({ dev, ino, birthtimeNs }: BigIntStats): NodeIdentity {
  return { device: String(dev), inode: String(ino), born: String(birthtimeNs) };
}

function isSame(one: NodeIdentity, other: NodeIdentity, sameBoot: boolean): boolean {
  return one.inode === other.inode && one.born === other.born && (!sameBoot || one.device === other.device);
}
