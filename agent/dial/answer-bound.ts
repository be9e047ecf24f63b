import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Node publishes every socket that net.connect makes here, synchronously (documented under diagnostics_channel). */
const SOCKET_CHANNEL = 'net.client.socket';

/**
 * Bounds what a proxy may answer before the CONNECT is decided. https-proxy-agent keeps its socket to itself and
 * buffers the answer without end, so the socket is picked up from Node's diagnostics channel: the library calls its
 * `headers` function in the same synchronous stretch in which it called net.connect, and {@link take} is called there.
 * TLS sockets are not published; an https:// proxy has proven its name and is held by the deadline alone.
 */
export class AnswerBound {
  readonly #maxBytes: number;
  readonly #onExceeded: () => void;
  #justMade: Socket | undefined;
  #watched: Socket | undefined;

  constructor(maxBytes: number, onExceeded: () => void) {
    this.#maxBytes = maxBytes;
    this.#onExceeded = onExceeded;
    subscribe(SOCKET_CHANNEL, this.#onSocketMade);
  }

  /** Starts to count on the socket made in this very turn; without one, nothing is bounded. */
  take(): void {
    unsubscribe(SOCKET_CHANNEL, this.#onSocketMade);
    this.#watched = this.#justMade;
    this.#watched?.on('readable', this.#onReadable);
  }

  /** Stops counting. Idempotent. */
  stop(): void {
    unsubscribe(SOCKET_CHANNEL, this.#onSocketMade);
    this.#watched?.off('readable', this.#onReadable);
    this.#watched = undefined;
  }

  readonly #onSocketMade = (message: unknown): void => {
    this.#justMade = (message as { socket: Socket }).socket;
    // Any other part of the process may make a socket: only one of this very turn can be the proxy's.
    queueMicrotask(() => {
      this.#justMade = undefined;
    });
  };

  readonly #onReadable = (): void => {
    if ((this.#watched?.bytesRead ?? 0) > this.#maxBytes) this.#onExceeded();
  };
}
