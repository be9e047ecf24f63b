/**
 * Which tunnel speaks for an agent: the newest authenticated one. An older one is replaced at once, and its late end
 * never unregisters the newer. A draining one may finish its streams beside its successor.
 */
import type { Tunnel } from './tunnel.js';

export class TunnelRegistry {
  readonly #current = new Map<string, Tunnel>();
  /** Draining tunnels whose agent has moved on; they get no new streams. */
  readonly #retired = new Set<Tunnel>();

  /** Tunnels that have a link now. */
  get connected(): number {
    return this.all().filter(({ pump }) => !pump.session.suspended).length;
  }

  /** Whether the agent has a session here, with a link or without. */
  has(agentId: string): boolean {
    return this.all().some((tunnel) => tunnel.agentId === agentId);
  }

  /** The tunnel of a session; suspended ones too. */
  bySession(sessionId: string): Tunnel | undefined {
    return this.all().find((tunnel) => tunnel.sessionId === sessionId);
  }

  /**
   * Puts a tunnel in charge of its agent. Returns the tunnel that it replaces, for the caller to close with 4409; none
   * when the new one is of the same process and names it in `overlaps`. A GOAWAY may have been lost with the link.
   */
  add(tunnel: Tunnel, overlaps: string | undefined): Tunnel | undefined {
    const older = this.#current.get(tunnel.agentId);
    this.#current.set(tunnel.agentId, tunnel);
    if (older === undefined) return undefined;
    if (older.sessionId === overlaps && older.bootId === tunnel.bootId) {
      this.#retired.add(older);
      return undefined;
    }
    return older;
  }

  /** Takes out exactly this tunnel; false when it was not in (any more). */
  remove(tunnel: Tunnel): boolean {
    if (this.#retired.delete(tunnel)) return true;
    if (this.#current.get(tunnel.agentId) !== tunnel) return false;
    return this.#current.delete(tunnel.agentId);
  }

  /** The tunnels that may get new streams, in the order in which their agents first came. */
  candidates(): IterableIterator<Tunnel> {
    return this.#current.values();
  }

  /** Streams of a connector that could be begun now, by agent. */
  freePlaces(connector: string): Map<string, number> {
    const places = new Map<string, number>();
    for (const tunnel of this.candidates()) {
      if (tunnel.connectors.has(connector) && tunnel.freePlaces > 0)
        places.set(tunnel.agentId, tunnel.freePlaces);
    }
    return places;
  }

  /** Every tunnel that is up. */
  all(): Tunnel[] {
    return [...this.#current.values(), ...this.#retired];
  }

  retired(): IterableIterator<Tunnel> {
    return this.#retired.values();
  }
}
