/** Seeded randomness for the fuzz tests: a run is repeated with NC_FUZZ_SEED. */

export class Prng {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** A number in 0 … 2^32 - 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
  /** A whole number in 0 … below - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit);
  }
  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.next();
    return bytes;
  }
}

/** The seed of this run: NC_FUZZ_SEED, or the time. */
export const SEED = Number(process.env['NC_FUZZ_SEED'] ?? Date.now() % 0x1_0000_0000);

/** How many times the usual amount is done. */
export const FACTOR = process.env['NC_PROVE'] === undefined ? 1 : 30;
