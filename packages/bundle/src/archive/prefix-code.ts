/** A symbol's bits, the first of them lowest, as deflate packs them. */
export interface PrefixCode {
  readonly lengths: Uint8Array;
  readonly bits: Uint16Array;
}

/** The code of least cost for symbols of these counts, with no symbol longer than `limit` bits (RFC 1951, 3.2.2). */
export function prefixCode(counts: Uint32Array, limit: number): PrefixCode {
  const lengths = codeLengths(counts, limit);
  return { lengths, bits: canonicalBits(lengths, limit) };
}

function codeLengths(counts: Uint32Array, limit: number): Uint8Array {
  const lengths = new Uint8Array(counts.length);
  const symbols = [...counts.keys()]
    .filter((symbol) => at(counts, symbol) > 0)
    // Ties by symbol: the result must not depend on how a machine sorts.
    .sort((a, b) => at(counts, a) - at(counts, b) || a - b);
  if (symbols.length === 1) lengths[symbols[0] ?? 0] = 1;
  if (symbols.length < 2) return lengths;
  const ofLength = limited(depths(symbols.map((symbol) => at(counts, symbol))), limit);
  let next = 0;
  for (let length = limit; length > 0; length -= 1) {
    for (let left = ofLength[length] ?? 0; left > 0; left -= 1) {
      lengths[symbols[next] ?? 0] = length;
      next += 1;
    }
  }
  return lengths;
}

/** The depth of each leaf of a Huffman tree over ascending weights. */
function depths(weights: readonly number[]): Uint8Array {
  const leaves = weights.length;
  const all = [...weights];
  const parents = new Uint16Array(2 * leaves - 1);
  let leaf = 0;
  let inner = leaves;
  const takeSmallest = (parent: number): number => {
    const isLeaf = leaf < leaves && (inner >= parent || (all[leaf] ?? 0) <= (all[inner] ?? 0));
    const node = isLeaf ? leaf++ : inner++;
    parents[node] = parent;
    return all[node] ?? 0;
  };
  for (let node = leaves; node < parents.length; node += 1) all[node] = takeSmallest(node) + takeSmallest(node);
  const depth = new Uint8Array(parents.length);
  for (let node = parents.length - 2; node >= 0; node -= 1) depth[node] = at(depth, at(parents, node)) + 1;
  return depth.subarray(0, leaves);
}

/** How many symbols get which length, none above the limit: what is too deep goes up, and others make room for it. */
function limited(depth: Uint8Array, limit: number): Uint16Array {
  const ofLength = new Uint16Array(limit + 1);
  for (const one of depth) ofLength[Math.min(one, limit)] = at(ofLength, Math.min(one, limit)) + 1;
  let used = 0;
  for (let length = 1; length <= limit; length += 1) used += at(ofLength, length) << (limit - length);
  // Each turn frees one place of the deepest row: a leaf above takes one of the deepest as its neighbour.
  for (; used > 1 << limit; used -= 1) {
    let length = limit - 1;
    while (at(ofLength, length) === 0) length -= 1;
    ofLength[length] = at(ofLength, length) - 1;
    ofLength[length + 1] = at(ofLength, length + 1) + 2;
    ofLength[limit] = at(ofLength, limit) - 1;
  }
  return ofLength;
}

function canonicalBits(lengths: Uint8Array, limit: number): Uint16Array {
  const bits = new Uint16Array(lengths.length);
  let code = 0;
  for (let length = 1; length <= limit; length += 1) {
    for (let symbol = 0; symbol < lengths.length; symbol += 1) {
      if (lengths[symbol] !== length) continue;
      bits[symbol] = reversed(code, length);
      code += 1;
    }
    code <<= 1;
  }
  return bits;
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let bit = 0; bit < length; bit += 1) result |= ((code >> bit) & 1) << (length - 1 - bit);
  return result;
}

function at(numbers: { readonly [index: number]: number | undefined }, index: number): number {
  return numbers[index] ?? 0;
}
