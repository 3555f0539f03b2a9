/**
 * How long a test waits for what is promised within some time. Whether the promise is kept is measured on a quiet
 * machine; a test, which shares its machine, only tells that what was promised came, and not what comes much later.
 */
export function patience(promisedMs: number): number {
  return promisedMs * patienceFactor;
}

const patienceFactor = 5;
