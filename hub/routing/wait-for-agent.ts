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
  /** Agents that may serve it; undefined = any. */
  readonly agents?: readonly string[] | undefined;
}

/** Streams that agents of a connector could take now, by agent; those without room are not in it. */
export type FreePlaces = ReadonlyMap<string, number>;

interface Waiter {
  readonly settle: (result: WaitResult) => void;
  readonly agents: readonly string[] | undefined;
}

/** How often a place is looked for that the end of a stream made free: nothing tells of it, and nothing is spent while nobody waits. */
const LOOK_MS = 50;

/**
 * Where clients wait for an agent of their connector (`wait_for_agent_ms`). Holds at most `maxWaiting` of them
 * over all connectors; each wait ends exactly once and leaves neither timer nor listener behind.
 */
export class AgentWaitingRoom {
  readonly #maxWaiting: number;
  readonly #clock: Clock;
  readonly #freePlaces: ((connector: string) => FreePlaces) | undefined;
  #cancelLook: (() => void) | undefined;
  /** In the order of arrival. */
  readonly #waiting = new Map<string, Set<Waiter>>();
  #size = 0;
  #closed = false;

  /** @param freePlaces asked now and then while clients wait; absent: only {@link notify} wakes them */
  constructor(
    maxWaiting: number,
    clock: Clock = systemClock,
    freePlaces?: (connector: string) => FreePlaces,
  ) {
    this.#maxWaiting = maxWaiting;
    this.#clock = clock;
    this.#freePlaces = freePlaces;
  }

  /** Clients waiting now, over all connectors. */
  get size(): number {
    return this.#size;
  }

  /** Waits for the next {@link notify} of this connector, or for a free place. Never rejects. */
  wait(connector: string, { deadlineMs, signal, agents }: WaitOptions): Promise<WaitResult> {
    const delayMs = deadlineMs - this.#clock.now();
    if (this.#closed || signal?.aborted === true) return Promise.resolve('cancelled');
    if (delayMs <= 0) return Promise.resolve('timeout');
    if (this.#size >= this.#maxWaiting) return Promise.resolve('full');

    return new Promise((resolve) => {
      const settle = (result: WaitResult): void => {
        stopTimer();
        signal?.removeEventListener('abort', onAbort);
        this.#leave(connector, waiter);
        resolve(result);
      };
      const onAbort = (): void => {
        settle('cancelled');
      };
      const stopTimer = this.#clock.after(delayMs, () => {
        settle('timeout');
      });
      signal?.addEventListener('abort', onAbort);
      const waiter = { settle, agents };
      this.#enter(connector, waiter);
    });
  }

  /** An agent of this connector can take clients: everyone who waits for it goes on, first come first. */
  notify(connector: string): void {
    for (const { settle } of this.#waiting.get(connector) ?? []) settle('available');
  }

  /** Sends everyone away as `cancelled`, and whoever comes later too. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const waiters of this.#waiting.values()) for (const { settle } of waiters) settle('cancelled');
  }

  #enter(connector: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(connector) ?? new Set();
    this.#waiting.set(connector, waiters.add(waiter));
    this.#size += 1;
    this.#cancelLook ??= this.#freePlaces && this.#clock.after(LOOK_MS, () => this.#look());
  }

  #leave(connector: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(connector);
    if (waiters?.delete(waiter) !== true) return;
    this.#size -= 1;
    if (waiters.size === 0) this.#waiting.delete(connector);
    if (this.#size === 0) this.#stopLooking();
  }

  #stopLooking(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  /** Wakes as many clients as there are places for them: each agent was full, and streams have ended since. */
  #look(): void {
    for (const [connector, waiters] of [...this.#waiting]) {
      const places = new Map(this.#freePlaces?.(connector));
      if (places.size > 0) for (const waiter of [...waiters]) takePlace(places, waiter);
    }
    this.#stopLooking();
    if (this.#size > 0) this.#cancelLook = this.#clock.after(LOOK_MS, () => this.#look());
  }
}

/** Gives the waiter one of the places that it may have, if there is one. */
function takePlace(places: Map<string, number>, { agents, settle }: Waiter): void {
  for (const [agentId, count] of places) {
    if (count === 0 || (agents !== undefined && !agents.includes(agentId))) continue;
    places.set(agentId, count - 1);
    settle('available');
    return;
  }
}
