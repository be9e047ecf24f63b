import { type Clock, systemClock } from '../../transport/clock.js';

/**
 * `available`: an agent came, look again (it may be gone or taken by the time you do).
 * `timeout`: none came before the deadline. `cancelled`: the signal, or the room was closed.
 * `full`: the room had no place, nothing was waited for.
 */
export type WaitResult = 'available' | 'timeout' | 'cancelled' | 'full';

export interface WaitOptions {
  /** When to give up, on the room's clock. */
  readonly deadlineMs: number;
  /** Aborted when the client left. */
  readonly signal?: AbortSignal;
}

type Waiter = (result: WaitResult) => void;

/**
 * Where clients wait for an agent of their connector (`wait_for_agent_ms`). Holds at most `maxWaiting` of them
 * over all connectors; each wait ends exactly once and leaves neither timer nor listener behind.
 */
export class AgentWaitingRoom {
  readonly #maxWaiting: number;
  readonly #clock: Clock;
  /** In the order of arrival. */
  readonly #waiting = new Map<string, Set<Waiter>>();
  #size = 0;
  #closed = false;

  constructor(maxWaiting: number, clock: Clock = systemClock) {
    this.#maxWaiting = maxWaiting;
    this.#clock = clock;
  }

  /** Clients waiting now, over all connectors. */
  get size(): number {
    return this.#size;
  }

  /** Waits for the next {@link notify} of this connector. Never rejects. */
  wait(connector: string, { deadlineMs, signal }: WaitOptions): Promise<WaitResult> {
    const delayMs = deadlineMs - this.#clock.now();
    if (this.#closed || signal?.aborted === true) return Promise.resolve('cancelled');
    if (delayMs <= 0) return Promise.resolve('timeout');
    if (this.#size >= this.#maxWaiting) return Promise.resolve('full');

    return new Promise((resolve) => {
      const settle = (result: WaitResult): void => {
        stopTimer();
        signal?.removeEventListener('abort', onAbort);
        this.#leave(connector, settle);
        resolve(result);
      };
      const onAbort = (): void => {
        settle('cancelled');
      };
      const stopTimer = this.#clock.after(delayMs, () => {
        settle('timeout');
      });
      signal?.addEventListener('abort', onAbort);
      this.#enter(connector, settle);
    });
  }

  /** An agent of this connector can take clients: everyone who waits for it goes on, first come first. */
  notify(connector: string): void {
    for (const settle of this.#waiting.get(connector) ?? []) settle('available');
  }

  /** Sends everyone away as `cancelled`, and whoever comes later too. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const waiters of this.#waiting.values()) for (const settle of waiters) settle('cancelled');
  }

  #enter(connector: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(connector) ?? new Set();
    this.#waiting.set(connector, waiters.add(waiter));
    this.#size += 1;
  }

  #leave(connector: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(connector);
    if (waiters?.delete(waiter) !== true) return;
    this.#size -= 1;
    if (waiters.size === 0) this.#waiting.delete(connector);
  }
}
