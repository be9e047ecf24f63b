/** Is the peer there? Any received byte counts; silence is asked about with PING, and long silence is death (§7.2). */

export interface LivenessOptions {
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/** A timer this late means that our own event loop stood still: what the peer sent may wait unread in the kernel. */
const STALLED_MS = 1000;
/** How long such bytes get to arrive before silence counts. */
const GRACE_MS = 2000;

export class Liveness {
  readonly #options: LivenessOptions;
  #heardAt: number;
  #nextPingAt: number;
  #deadAt: number;

  constructor(options: LivenessOptions, now: number) {
    this.#options = options;
    this.#heardAt = now;
    this.#nextPingAt = now + options.pingIntervalMs;
    this.#deadAt = now + options.pingTimeoutMs;
  }

  /** Bytes arrived. */
  heard(now: number): void {
    this.#heardAt = now;
    this.#deadAt = now + this.#options.pingTimeoutMs;
  }

  get deadline(): number {
    return Math.min(this.#nextPingAt, this.#deadAt);
  }

  /** What is due: nothing, a PING, or the end. */
  check(now: number): 'alive' | 'ping' | 'dead' {
    const late = now - this.deadline;
    if (late >= STALLED_MS) this.#deadAt = Math.max(this.#deadAt, now + GRACE_MS);
    if (now >= this.#deadAt) return 'dead';
    if (now < this.#nextPingAt) return 'alive';
    this.#nextPingAt = now + this.#options.pingIntervalMs;
    return 'ping';
  }

  /** Milliseconds since the last received byte. */
  silence(now: number): number {
    return now - this.#heardAt;
  }
}
