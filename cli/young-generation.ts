/**
 * Keeps V8's young generation small. Every stream that opens outlives a few collections, and V8 answers survivors by
 * doubling that space up to 2 × 16 MB (Node 24: 3 × 32 MB), which it then keeps: with 5,000 idle streams it was a third
 * of all memory (ADR 0014). A daemon cannot give itself `--max-semi-space-size`, which counts at the start of a process
 * only; the factor of growth is read whenever the space is about to grow.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Of all semi-spaces together. Below half of it collections cost more than they save. */
const YOUNG_GENERATION_BYTES = 8 * 1024 * 1024;
/** V8's own. */
const GROWTH = 2;
const NO_GROWTH = 1;

/** Returns what to call after each collection: it lets the space grow below `limitBytes`, and not beyond. */
export function growthGuard(
  limitBytes: number,
  spaceBytes: () => number,
  setGrowth: (factor: number) => void,
): () => void {
  let growth = GROWTH;
  return () => {
    const next = spaceBytes() < limitBytes ? GROWTH : NO_GROWTH;
    if (next === growth) return;
    growth = next;
    setGrowth(next);
  };
}

/** Begins to watch this process; for good. */
export function capYoungGeneration(limitBytes: number = YOUNG_GENERATION_BYTES): void {
  const guard = growthGuard(limitBytes, youngGenerationBytes, (factor) => {
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  });
  // Loading the modules has grown it already.
  guard();
  new PerformanceObserver(guard).observe({ entryTypes: ['gc'] });
}

/** What the young generation takes up now, free parts included. */
export function youngGenerationBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
}
