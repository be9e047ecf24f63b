/** All clients that are being carried: counts, the idle sweep, and the end of them all. */
import type { RstReason } from '../../protocol/index.js';
import type { AcceptedClient } from '../listeners/accepted-client.js';
import { ClientRelay } from './client-relay.js';
import type { Relay, RelayContext } from './relay-context.js';

export class Relays {
  readonly #context: RelayContext;
  readonly #relays = new Set<Relay>();
  readonly #byConnector = new Map<string, number>();
  #onEmpty: (() => void) | undefined;

  constructor(context: Omit<RelayContext, 'onEnd'>) {
    this.#context = { ...context, onEnd: (relay) => this.#remove(relay) };
  }

  get size(): number {
    return this.#relays.size;
  }
  /** Clients by connector. */
  counts(): Iterable<readonly [string, number]> {
    return this.#byConnector;
  }

  add(client: AcceptedClient): void {
    const { connector } = client.listener;
    this.#byConnector.set(connector, (this.#byConnector.get(connector) ?? 0) + 1);
    this.#relays.add(new ClientRelay(this.#context, client));
  }

  /** Ends those that have been idle for too long. */
  sweep(now: number): void {
    for (const relay of this.#relays) relay.checkIdle(now);
  }

  /** Resets all of them. */
  abortAll(reason: RstReason): void {
    for (const relay of [...this.#relays]) relay.abort(reason);
  }

  /** Resolves when the last one has ended. */
  empty(): Promise<void> {
    if (this.#relays.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onEmpty = resolve));
  }

  #remove(relay: Relay): void {
    this.#relays.delete(relay);
    this.#byConnector.set(relay.connector, (this.#byConnector.get(relay.connector) ?? 1) - 1);
    if (this.#relays.size === 0) this.#onEmpty?.();
  }
}
