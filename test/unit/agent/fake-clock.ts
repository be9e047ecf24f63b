import type { Clock } from '../../../transport/clock.js';

/** A clock that moves only when told to. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { at: number; work: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): () => void {
    const timer = { at: this.#nowMs + delayMs, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that are still set. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass and runs what becomes due, in order. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.at);
      due.work();
    }
    this.#nowMs = until;
  }
}
