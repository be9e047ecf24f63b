/** Time for the daemons: monotonic milliseconds and one-shot timers, behind an interface so that tests can own it. */

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  now(): number;
  /** Calls `work` once after `delayMs`; the result cancels it and may be called at any time. */
  after(delayMs: number, work: () => void): () => void;
}

/** setTimeout fires at once above this delay (2^31 - 1 ms). */
const MAX_DELAY_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, work) {
    const timer = setTimeout(work, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};

/** Ends with the work, or after `delayMs`, whichever is first. */
export async function atMost(clock: Clock, delayMs: number, work: Promise<unknown>): Promise<void> {
  let cancel: (() => void) | undefined;
  const over = new Promise<void>((resolve) => (cancel = clock.after(delayMs, resolve)));
  try {
    await Promise.race([work, over]);
  } finally {
    cancel?.();
  }
}

/** One timer that is moved often: it is only set anew when the new time is earlier than the one it waits for. */
export class Alarm {
  readonly #clock: Clock;
  readonly #work: () => void;
  #cancel: (() => void) | undefined;
  #firesAt = Infinity;
  #dueAt = Infinity;

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Sets the time at which `work` is due; Infinity for never. */
  arm(at: number): void {
    this.#dueAt = at;
    if (at >= this.#firesAt) return;
    this.#cancel?.();
    this.#firesAt = at;
    this.#cancel = this.#clock.after(at - this.#clock.now(), () => this.#onFire());
  }

  /** Nothing fires after this. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#firesAt = this.#dueAt = Infinity;
  }

  #onFire(): void {
    this.#cancel = undefined;
    this.#firesAt = Infinity;
    const dueAt = this.#dueAt;
    if (dueAt > this.#clock.now()) this.arm(dueAt);
    else {
      this.#dueAt = Infinity;
      this.#work();
    }
  }
}
