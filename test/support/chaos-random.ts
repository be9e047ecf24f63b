/** Numbers that look random and are the same again for the same seed (mulberry32). */
export interface SeededRandom {
  readonly seed: number;
  /** A number in [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  below(below: number): number;
  pick<T>(from: readonly [T, ...T[]]): T;
}

const MAX_SEED = 2 ** 32;

/** The seed of NC_SEED, else another one each time: whoever uses it prints it. */
export function seededRandom(
  seed = Number(process.env['NC_SEED'] ?? Math.floor(Math.random() * MAX_SEED)),
): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / MAX_SEED;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { seed, next, below, pick: (from) => from[below(from.length)] ?? from[0] };
}
