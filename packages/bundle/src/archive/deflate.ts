import { BitWriter } from './bit-writer.ts';
import { type PrefixCode, prefixCode } from './prefix-code.ts';

/** One block each: as many bytes as a block without compression may have. */
export const segmentBytes = 65_535;
const windowBytes = 32_768;
const shortestMatch = 4;
/** Deflate knows 258. With 130, nothing shrinks more than 174-fold, and what we write is never taken for a bomb. */
const longestMatch = 130;
/** Earlier places looked at for a match: each costs time, and the first ones find most. */
const placesTried = 24;
const hashBits = 15;
const endOfBlock = 256;
/** The order in which deflate lists the lengths of its code for lengths. */
const lengthCodeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * Writes a raw deflate stream (RFC 1951) that depends on nothing but the input: zlib's output changes with its version,
 * with the build and with the processor, and then two machines would make two archives of one plugin. Whatever inflates
 * can read it.
 */
export class Deflater {
  readonly #bits = new BitWriter();
  #history: Uint8Array = new Uint8Array(0);

  /** Compresses the next segment, of at most `segmentBytes`; all but the last should be that long. */
  segment(bytes: Uint8Array): Uint8Array {
    const block = new Uint8Array(this.#history.length + bytes.length);
    block.set(this.#history);
    block.set(bytes, this.#history.length);
    writeBlock(this.#bits, findMatches(block, this.#history.length), bytes);
    this.#history = block.slice(-windowBytes);
    return this.#bits.take();
  }

  /** The empty last block. */
  end(): Uint8Array {
    writeStored(this.#bits, new Uint8Array(0), true);
    return this.#bits.take();
  }
}

/** A literal byte, or `length << 16 | distance`. */
type Tokens = Uint32Array;

function findMatches(block: Uint8Array, from: number): Tokens {
  const tokens = new Uint32Array(block.length - from);
  const heads = new Int32Array(1 << hashBits).fill(-1);
  const before = new Int32Array(block.length);
  const lastStart = block.length - shortestMatch;
  const insert = (place: number): void => {
    if (place > lastStart) return;
    const hash = hashAt(block, place);
    before[place] = heads[hash] ?? -1;
    heads[hash] = place;
  };
  for (let place = 0; place < from; place += 1) insert(place);
  let count = 0;
  for (let place = from; place < block.length; ) {
    const match = place <= lastStart ? longestAt(block, place, heads, before) : 0;
    const length = match === 0 ? 1 : match >>> 16;
    tokens[count] = match === 0 ? (block[place] ?? 0) : match;
    count += 1;
    for (const end = place + length; place < end; place += 1) insert(place);
  }
  return tokens.subarray(0, count);
}

function hashAt(block: Uint8Array, place: number): number {
  const word =
    (block[place] ?? 0) |
    ((block[place + 1] ?? 0) << 8) |
    ((block[place + 2] ?? 0) << 16) |
    ((block[place + 3] ?? 0) << 24);
  return Math.imul(word, 0x9e3779b1) >>> (32 - hashBits);
}

/** 0 when there is none. */
function longestAt(block: Uint8Array, place: number, heads: Int32Array, before: Int32Array): number {
  const longest = Math.min(longestMatch, block.length - place);
  let best = 0;
  let candidate = heads[hashAt(block, place)] ?? -1;
  for (let tried = 0; candidate >= 0 && place - candidate <= windowBytes && tried < placesTried; tried += 1) {
    let length = 0;
    while (length < longest && block[candidate + length] === block[place + length]) length += 1;
    if (length >= shortestMatch && length > best >>> 16) {
      best = (length << 16) | (place - candidate);
      if (length === longest) break;
    }
    candidate = before[candidate] ?? -1;
  }
  return best;
}

function writeBlock(bits: BitWriter, tokens: Tokens, bytes: Uint8Array): void {
  const literalCounts = new Uint32Array(286);
  const distanceCounts = new Uint32Array(30);
  const add = (counts: Uint32Array, symbol: number): void => {
    counts[symbol] = (counts[symbol] ?? 0) + 1;
  };
  for (const token of tokens) {
    if (token < 256) add(literalCounts, token);
    else {
      add(literalCounts, lengthSymbol(token >>> 16).symbol);
      add(distanceCounts, distanceSymbol(token & 0xffff).symbol);
    }
  }
  add(literalCounts, endOfBlock);
  const literals = prefixCode(literalCounts, 15);
  const distances = prefixCode(distanceCounts, 15);
  const header = describe(literals, distances);
  const size = header.bits + bodyBits(literalCounts, literals) + bodyBits(distanceCounts, distances);
  if (size >= 8 * (bytes.length + 4)) {
    writeStored(bits, bytes, false);
    return;
  }
  bits.write(0b100, 3);
  header.write(bits);
  for (const token of tokens) writeToken(bits, token, literals, distances);
  writeSymbol(bits, literals, endOfBlock);
}

function writeToken(bits: BitWriter, token: number, literals: PrefixCode, distances: PrefixCode): void {
  if (token < 256) {
    writeSymbol(bits, literals, token);
    return;
  }
  const length = lengthSymbol(token >>> 16);
  writeSymbol(bits, literals, length.symbol);
  bits.write(length.extra, length.extraBits);
  const distance = distanceSymbol(token & 0xffff);
  writeSymbol(bits, distances, distance.symbol);
  bits.write(distance.extra, distance.extraBits);
}

function writeSymbol(bits: BitWriter, { bits: codes, lengths }: PrefixCode, symbol: number): void {
  bits.write(codes[symbol] ?? 0, lengths[symbol] ?? 0);
}

function writeStored(bits: BitWriter, bytes: Uint8Array, isLast: boolean): void {
  bits.write(isLast ? 1 : 0, 3);
  bits.align();
  bits.write(bytes.length, 16);
  bits.write(~bytes.length & 0xffff, 16);
  bits.writeBytes(bytes);
}

interface Symbol {
  readonly symbol: number;
  readonly extra: number;
  readonly extraBits: number;
}

const lengthSymbols: readonly Symbol[] = Array.from({ length: longestMatch + 1 }, (_, length) => {
  if (length < 11) return { symbol: 254 + length, extra: 0, extraBits: 0 };
  return grouped(length - 3, 2, 257);
});

function lengthSymbol(length: number): Symbol {
  return lengthSymbols[length] as Symbol;
}

const distanceSymbols = new Map<number, Symbol>();

function distanceSymbol(distance: number): Symbol {
  let known = distanceSymbols.get(distance);
  if (known === undefined) {
    known = distance < 5 ? { symbol: distance - 1, extra: 0, extraBits: 0 } : grouped(distance - 1, 1, 0);
    distanceSymbols.set(distance, known);
  }
  return known;
}

/** Numbers in groups that double: `2 ** groupBits` groups for each power of two, the rest as extra bits (3.2.5). */
function grouped(value: number, groupBits: number, first: number): Symbol {
  const extraBits = 31 - Math.clz32(value) - groupBits;
  const group = (value >> extraBits) & ((1 << groupBits) - 1);
  return {
    symbol: first + ((extraBits + 1) << groupBits) + group,
    extra: value & ((1 << extraBits) - 1),
    extraBits,
  };
}

/** The bits of all symbols of a code with what follows each. */
function bodyBits(counts: Uint32Array, { lengths }: PrefixCode): number {
  const isLengths = counts.length > 30;
  let sum = 0;
  for (const [symbol, count] of counts.entries()) sum += count * ((lengths[symbol] ?? 0) + extraOf(symbol, isLengths));
  return sum;
}

function extraOf(symbol: number, isLengths: boolean): number {
  if (isLengths) return symbol < 265 ? 0 : (symbol - 261) >> 2;
  return symbol < 4 ? 0 : (symbol - 2) >> 1;
}

/** The two codes as a block begins with them: their lengths, runs shortened, in a code of their own (3.2.7). */
function describe(literals: PrefixCode, distances: PrefixCode): { bits: number; write(bits: BitWriter): void } {
  const literalCount = Math.max(257, lastUsed(literals) + 1);
  const distanceCount = Math.max(1, lastUsed(distances) + 1);
  const runs = runsOf([...literals.lengths.subarray(0, literalCount), ...distances.lengths.subarray(0, distanceCount)]);
  const counts = new Uint32Array(19);
  for (const { symbol } of runs) counts[symbol] = (counts[symbol] ?? 0) + 1;
  const code = prefixCode(counts, 7);
  let orderCount = lengthCodeOrder.length;
  while (orderCount > 4 && (code.lengths[lengthCodeOrder[orderCount - 1] ?? 0] ?? 0) === 0) orderCount -= 1;
  const runBits = runs.reduce((sum, { symbol, extraBits }) => sum + (code.lengths[symbol] ?? 0) + extraBits, 0);
  return {
    bits: 17 + 3 * orderCount + runBits,
    write(bits) {
      bits.write(literalCount - 257, 5);
      bits.write(distanceCount - 1, 5);
      bits.write(orderCount - 4, 4);
      for (const symbol of lengthCodeOrder.slice(0, orderCount)) bits.write(code.lengths[symbol] ?? 0, 3);
      for (const { symbol, extra, extraBits } of runs) {
        writeSymbol(bits, code, symbol);
        bits.write(extra, extraBits);
      }
    },
  };
}

function lastUsed({ lengths }: PrefixCode): number {
  return lengths.findLastIndex((length) => length > 0);
}

function runsOf(lengths: readonly number[]): Symbol[] {
  const runs: Symbol[] = [];
  for (let from = 0; from < lengths.length; ) {
    const length = lengths[from] ?? 0;
    let to = from + 1;
    while (lengths[to] === length) to += 1;
    let left = to - from;
    if (length !== 0) {
      runs.push({ symbol: length, extra: 0, extraBits: 0 });
      left -= 1;
    }
    while (left >= 3) {
      const long = length === 0 && left >= 11;
      const count = Math.min(left, length !== 0 ? 6 : long ? 138 : 10);
      const [symbol, base, extraBits] = length !== 0 ? [16, 3, 2] : long ? [18, 11, 7] : [17, 3, 3];
      runs.push({ symbol, extra: count - base, extraBits });
      left -= count;
    }
    for (; left > 0; left -= 1) runs.push({ symbol: length, extra: 0, extraBits: 0 });
    from = to;
  }
  return runs;
}
