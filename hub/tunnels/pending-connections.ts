/**
 * Connections to the tunnel port that are not a tunnel yet: nobody knows who they are, each may stay until its deadline,
 * so their number has a limit of its own. Beyond it the oldest has to go: an agent is through in a moment, and who only
 * sits there is among the oldest.
 */
import type { Socket } from 'node:net';

/** As many as may have their token verified at once. Each takes 15 KiB, and some 60 once TLS stands. */
export const MAX_PENDING = 2000;

export class PendingConnections {
  readonly #max: number;
  readonly #onCrowded: (peer: string) => void;
  /** By the peer's address and port, the oldest first: TLS wraps the socket, so it is not the same object later. */
  readonly #sockets = new Map<string, Socket>();

  /** @param onCrowded told of each peer that had to go */
  constructor(max: number, onCrowded: (peer: string) => void) {
    this.#max = max;
    this.#onCrowded = onCrowded;
  }

  /** Counts an accepted connection until it closes or `release`. */
  add(socket: Socket): void {
    const key = keyOf(socket);
    if (key === undefined) return; // Gone already.
    this.#sockets.set(key, socket);
    socket.once('close', () => {
      if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
    });
    if (this.#sockets.size > this.#max) this.#dropOldest();
  }

  /** It became a tunnel, or will: `socket` is the accepted one or what TLS made of it. */
  release(socket: Socket): void {
    const key = keyOf(socket);
    if (key !== undefined) this.#sockets.delete(key);
  }

  #dropOldest(): void {
    for (const [key, socket] of this.#sockets) {
      this.#sockets.delete(key);
      this.#onCrowded(socket.remoteAddress ?? '');
      socket.destroy();
      return;
    }
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}
