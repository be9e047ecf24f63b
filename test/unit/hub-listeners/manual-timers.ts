import type { Timers } from '../../../hub/listeners/timers.js';

/** A clock that moves only when the test says so. */
export class ManualTimers implements Timers {
  #now = 0;
  readonly #pending = new Map<object, { readonly atMs: number; readonly callback: () => void }>();

  /** Timers that are set and have neither fired nor been cleared. */
  get pending(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const handle = {};
    this.#pending.set(handle, { atMs: this.#now + delayMs, callback });
    return handle;
  }

  clearTimeout(handle: unknown): void {
    this.#pending.delete(handle as object);
  }

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#pending].filter(([, { atMs }]) => atMs <= until);
      const [first] = due.sort(([, a], [, b]) => a.atMs - b.atMs);
      if (first === undefined) break;
      this.#pending.delete(first[0]);
      this.#now = first[1].atMs;
      first[1].callback();
    }
    this.#now = until;
  }
}
