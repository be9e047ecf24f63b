import net from 'node:net';
import type { HostPort, ListenerConfig } from '../../config/types.js';
import type { RejectReason } from '../../observability/metric-labels.js';
import { type Clock, systemClock } from '../../transport/clock.js';
import { resetSocket } from '../../transport/reset-socket.js';
import { Accepted, type AcceptedClient } from './accepted-client.js';
import { canonicalAddress } from './ip-address.js';
import { ListenError } from './listen-error.js';
import { type ListenerPolicy, createListenerPolicy } from './listener-policy.js';
import type { ProxyHeader, ProxyVersion } from './proxy-protocol.js';
import { writeProxyHeader } from './proxy-protocol-write.js';
import { type HeaderOutcome, readProxyHeader } from './read-proxy-header.js';

/** What the owner of a listener decides and hears. All are called synchronously and must not throw. */
export interface ListenerHooks {
  /**
   * The limits that all listeners share: why no further client can be taken now, or undefined. Asked at most once
   * per connection, last of all checks; after undefined, onClient follows before anything else can happen, so
   * counting there is exact.
   */
  admit(): RejectReason | undefined;
  onClient(client: AcceptedClient): void;
  /** `detail` says in words why, for the log. The socket is already reset. */
  onRejected(reason: RejectReason, client: HostPort, detail: string): void;
  /** The system refused to accept a connection (no memory, no descriptors, …); the listener goes on. */
  onAcceptError(error: Error): void;
}

export interface ListenerOptions {
  readonly clock?: Clock;
  /** A PROXY header has to be complete within this time. */
  readonly headerTimeoutMs?: number;
  /** Connections whose PROXY header is outstanding; one more is rejected. */
  readonly maxAwaitingHeader?: number;
}

const HEADER_TIMEOUT_MS = 5000;
const MAX_AWAITING_HEADER = 1024;
const KEEP_ALIVE_DELAY_MS = 60_000;
/** The kernel lowers it to net.core.somaxconn; Node's own default (511) is short for a storm of reconnects. */
const BACKLOG = 4096;
const STOPPED = 'the listener was stopped before it was open.';
const NOTHING = new Uint8Array(0);

const ADMISSION_WORDS: Partial<Record<RejectReason, string>> = {
  limit_total: 'limits.max_conn_total is reached',
  budget: 'limits.process_buffer_bytes is used up',
  draining: 'the hub is shutting down',
};

/**
 * One fixed TCP port of the hub. Owns the listening socket and each connection until it is handed on; whoever
 * may not come in is reset at once, before anything is read from or written to it.
 *
 * With `proxy_protocol.accept` the port belongs to the proxies in `trusted_cidrs` alone: each of them must send
 * a header of exactly that version, and any other peer is rejected. This is stricter than nginx (which reads a
 * header from everyone and then ignores the address in it) and HAProxy's `expect-proxy` (which serves others as
 * direct clients), because the protocol forbids to share a port between proxies and direct clients (§2): a client
 * that reaches the port directly could otherwise name any address and walk through `allow_cidrs`. An empty
 * `trusted_cidrs` trusts nobody. `allow_cidrs` applies to the real client's address; UNKNOWN and LOCAL (a proxy's
 * own health check) count with the proxy's address.
 *
 * When the process has no descriptors left, libuv closes new connections by itself and tells nobody; the
 * connection limits are there to stay below that.
 */
export class Listener {
  readonly #hooks: ListenerHooks;
  readonly #clock: Clock;
  readonly #headerTimeoutMs: number;
  readonly #maxAwaitingHeader: number;
  #policy: ListenerPolicy;
  #server: net.Server | undefined;
  #serverClosed: Promise<void> | undefined;
  #abortListen: ((error: Error) => void) | undefined;
  #stopped = false;
  #closing: Promise<void> | undefined;
  /** Every connection that is not closed yet, also those handed on. */
  readonly #open = new Set<net.Socket>();
  /** Those that count against max_connections. */
  readonly #counted = new Set<net.Socket>();
  /** Those whose PROXY header is outstanding, with what ends the wait. */
  readonly #awaitingHeader = new Map<net.Socket, () => void>();

  constructor(config: ListenerConfig, hooks: ListenerHooks, options: ListenerOptions = {}) {
    this.#policy = createListenerPolicy(config);
    this.#hooks = hooks;
    this.#clock = options.clock ?? systemClock;
    this.#headerTimeoutMs = options.headerTimeoutMs ?? HEADER_TIMEOUT_MS;
    this.#maxAwaitingHeader = options.maxAwaitingHeader ?? MAX_AWAITING_HEADER;
  }

  /** The configuration in force. */
  get config(): ListenerConfig {
    return this.#policy.config;
  }

  /** The listening socket; undefined before `listen`. */
  get server(): net.Server | undefined {
    return this.#server;
  }

  /** Connections that count against max_connections now. */
  get connections(): number {
    return this.#counted.size;
  }

  /**
   * Opens the port and answers where it listens (the port the system chose when `bind` says 0).
   * To be called once.
   *
   * @throws {ListenError} with the words for the operator
   */
  listen(): Promise<HostPort> {
    if (this.#server !== undefined) throw new Error('listen() is called once');
    const { config } = this.#policy;
    if (this.#stopped) return Promise.reject(new ListenError(config, new Error(STOPPED)));
    const server = net.createServer({
      pauseOnConnect: true,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    });
    this.#server = server;
    this.#serverClosed = new Promise((resolve) => server.once('close', resolve));
    server.on('connection', (socket) => {
      this.#onConnection(socket);
    });
    return new Promise((resolve, reject) => {
      const fail = (cause: Error): void => {
        reject(new ListenError(config, cause));
      };
      this.#abortListen = fail;
      server.on('error', (error) => {
        if (server.listening) this.#hooks.onAcceptError(error);
        else fail(error);
      });
      server.on('listening', () => {
        const { address, port } = server.address() as net.AddressInfo;
        resolve({ host: address, port });
      });
      server.listen({ host: config.bind.host, port: config.bind.port, backlog: BACKLOG });
    });
  }

  /**
   * New rules for connections accepted from now on; the port stays open and what is open stays open.
   *
   * @throws {Error} when `bind` differs: that needs another Listener
   */
  update(next: ListenerConfig): void {
    const { bind } = this.#policy.config;
    if (next.bind.host !== bind.host || next.bind.port !== bind.port) {
      throw new Error(`listener "${next.name}": update() cannot move a listener to another address`);
    }
    this.#policy = createListenerPolicy(next);
  }

  /** Frees the port at once; connections handed on stay, those not handed on yet are reset. Idempotent. */
  stopAccepting(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#abortListen?.(new Error(STOPPED));
    this.#server?.close();
    for (const [socket, cancel] of this.#awaitingHeader) {
      cancel();
      this.#rejectAs('draining', socket, peerOf(socket));
    }
    this.#awaitingHeader.clear();
  }

  /** The hard end: stops accepting, resets every connection still open and waits until all are gone. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.stopAccepting();
    const gone = [...this.#open].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of this.#open) resetSocket(socket);
    await Promise.all([this.#serverClosed, ...gone]);
  }

  #onConnection(socket: net.Socket): void {
    // The 'close' that follows says all there is to say; without a listener an 'error' would end the process.
    socket.on('error', ignore);
    if (socket.remoteAddress === undefined) {
      // It left before it was accepted: nobody to refuse, nothing to serve.
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    const { config, allowed, proxied } = this.#policy;
    if (proxied !== undefined && !proxied.isTrusted(peer.host)) {
      this.#reject('proxy_protocol', socket, peer, 'the peer is not in proxy_protocol.trusted_cidrs');
      return;
    }
    if (proxied === undefined && !allowed.allows(peer.host)) {
      this.#rejectCidr(socket, peer);
      return;
    }
    const limit = config.maxConnections ?? Infinity;
    if (this.#counted.size >= limit) {
      this.#reject('limit_listener', socket, peer, `max_connections (${limit}) is reached`);
      return;
    }
    if (proxied !== undefined && this.#awaitingHeader.size >= this.#maxAwaitingHeader) {
      const detail = `${this.#awaitingHeader.size} connections are waiting for their PROXY header already`;
      this.#reject('proxy_protocol', socket, peer, detail);
      return;
    }
    this.#watch(socket);
    if (proxied === undefined) this.#handOn(socket, peer, undefined, NOTHING);
    else this.#awaitHeader(socket, peer, proxied.version);
  }

  #watch(socket: net.Socket): void {
    this.#open.add(socket);
    this.#counted.add(socket);
    socket.on('close', () => {
      this.#open.delete(socket);
      this.#counted.delete(socket);
    });
  }

  #awaitHeader(socket: net.Socket, peer: HostPort, version: ProxyVersion): void {
    const onOutcome = (outcome: HeaderOutcome): void => {
      this.#awaitingHeader.delete(socket);
      if (outcome.kind === 'probe') socket.resetAndDestroy();
      else if (outcome.kind === 'failed') this.#reject('proxy_protocol', socket, peer, outcome.why);
      else this.#handOn(socket, peer, outcome.header, outcome.leading);
    };
    const cancel = readProxyHeader(socket, version, this.#headerTimeoutMs, this.#clock, onOutcome);
    this.#awaitingHeader.set(socket, cancel);
  }

  /** The last checks, then the client belongs to the owner. */
  #handOn(socket: net.Socket, peer: HostPort, header: ProxyHeader | undefined, leading: Uint8Array): void {
    const { config, allowed } = this.#policy;
    const client = header?.kind === 'tcp' ? header.source : peer;
    // A direct client (no header) was looked at before it was counted.
    if (header !== undefined && !allowed.allows(client.host)) {
      this.#rejectCidr(socket, client);
      return;
    }
    const refusal = this.#hooks.admit();
    if (refusal !== undefined) {
      this.#rejectAs(refusal, socket, client);
      return;
    }
    const prefix = this.#prefixFor(socket, client, header);
    if (prefix === undefined) {
      socket.destroy();
      return;
    }
    this.#hooks.onClient(
      new Accepted(this.#counted, { socket, client, peer, leading, listener: config, prefix }),
    );
  }

  /** The header for the target; undefined when the client has left and its address here cannot be known any more. */
  #prefixFor(socket: net.Socket, client: HostPort, header: ProxyHeader | undefined): Uint8Array | undefined {
    const { send } = this.#policy.config.proxyProtocol;
    if (send === 'off') return NOTHING;
    if (header?.kind === 'tcp') return writeProxyHeader(send, client, header.destination);
    if (socket.localAddress === undefined) return undefined;
    return writeProxyHeader(send, client, localOf(socket));
  }

  #rejectCidr(socket: net.Socket, client: HostPort): void {
    this.#reject('cidr', socket, client, 'the client is not in allow_cidrs');
  }

  #rejectAs(reason: RejectReason, socket: net.Socket, client: HostPort): void {
    this.#reject(reason, socket, client, ADMISSION_WORDS[reason] ?? 'the hub takes no further client');
  }

  #reject(reason: RejectReason, socket: net.Socket, client: HostPort, detail: string): void {
    this.#counted.delete(socket);
    socket.resetAndDestroy();
    this.#hooks.onRejected(reason, client, detail);
  }
}

function peerOf({ remoteAddress = '', remotePort = 0 }: net.Socket): HostPort {
  return { host: canonicalAddress(remoteAddress), port: remotePort };
}

function localOf({ localAddress = '', localPort = 0 }: net.Socket): HostPort {
  return { host: canonicalAddress(localAddress), port: localPort };
}

function ignore(): void {
  // See #onConnection.
}
