import type { Socket } from 'node:net';
import type { HostPort, ListenerConfig } from '../../config/types.js';

/** One accepted connection, from the moment the listener hands it on; its new owner closes the socket. */
export interface AcceptedClient {
  /**
   * Paused. Its 'error' is already listened to, and its end frees the listener's count.
   * After a PROXY header was read, a FIN that arrives while the socket is paused raises 'end' at once: who
   * attaches to 'end' later than in onClient itself has to look at `readableEnded` and `destroyed` as well.
   */
  readonly socket: Socket;
  /** The real client: from the PROXY header when there was one, else the peer. IPv4-mapped IPv6 as IPv4. */
  readonly client: HostPort;
  /** The other end of the TCP connection; differs from `client` behind a proxy. */
  readonly peer: HostPort;
  /** Bytes of the client that were read along with the PROXY header; the first to be sent on. */
  readonly leading: Uint8Array;
  /** The configuration at the moment of acceptance. */
  readonly listener: ListenerConfig;
  /** The PROXY header that the target gets before anything else; empty when `proxy_protocol.send` is off. */
  readonly prefix: Uint8Array;
  /** Frees this connection's place under `max_connections`; idempotent, and done by itself at the socket's 'close'. */
  release(): void;
}

/** A class, because there is one for each client. */
export class Accepted implements AcceptedClient {
  readonly socket: Socket;
  readonly client: HostPort;
  readonly peer: HostPort;
  readonly leading: Uint8Array;
  readonly listener: ListenerConfig;
  readonly prefix: Uint8Array;
  readonly #counted: Set<Socket>;

  constructor(counted: Set<Socket>, of: Omit<AcceptedClient, 'release'>) {
    this.socket = of.socket;
    this.client = of.client;
    this.peer = of.peer;
    this.leading = of.leading;
    this.listener = of.listener;
    this.prefix = of.prefix;
    this.#counted = counted;
  }

  release(): void {
    this.#counted.delete(this.socket);
  }
}
