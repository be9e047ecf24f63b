/** Carries the counts of sessions into metrics: what was added since the last look. */
import type { SessionCounters } from '../protocol/index.js';

export type CounterSink = { readonly [Name in keyof SessionCounters]?: (count: number) => void };

const NAMES = ['finSent', 'finReceived', 'rstSent', 'rstReceived', 'lateFrames', 'replayedBytes'] as const;

/** One session's counts as they were last told. */
export class FrameCounts {
  readonly #counters: SessionCounters;
  readonly #told: SessionCounters;

  constructor(counters: SessionCounters) {
    this.#counters = counters;
    this.#told = { ...counters };
  }

  /** Tells the sink what was added since the last call. */
  tell(sink: CounterSink): void {
    for (const name of NAMES) {
      const added = this.#counters[name] - this.#told[name];
      if (added > 0) sink[name]?.(added);
      this.#told[name] = this.#counters[name];
    }
  }
}
