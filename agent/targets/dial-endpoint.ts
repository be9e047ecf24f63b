import type { LookupAddress } from 'node:dns';
import { connect as netConnect, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { HostPort } from '../../config/types.js';
import type { Clock } from '../../transport/clock.js';
import type { Lookup } from './shared-lookup.js';

/** RFC 8305 §5: after this long without an answer the next address is tried beside the first. */
const STAGGER_MS = 250;
/** Long enough not to disturb a quiet session, short enough to notice a dead peer within minutes. */
const KEEPALIVE_DELAY_MS = 60_000;

/** What dialling needs from outside. */
export interface DialDeps {
  /** One sharedLookup() for all dials; not asked for what is an address already. */
  readonly lookup: Lookup;
  readonly clock: Clock;
  /** net.connect; tests pass their own. */
  readonly connect?: (options: TcpNetConnectOpts) => Socket;
}

/** Hears how a dial ended: exactly one of the two, once, and nothing after `cancel`. */
export interface EndpointOwner {
  /** A connected, paused socket (allowHalfOpen, no Nagle, keepalive) that now belongs to the owner. */
  onConnected(socket: Socket): void;
  /** DialTimeout, or the error of the lookup, or of the address that failed last. */
  onFailed(error: unknown): void;
}

/** Not one address answered in time; `code` makes it look like the kernel's own verdict. */
class DialTimeout extends Error {
  readonly code: 'ETIMEDOUT' | 'EAI_AGAIN';

  constructor(code: 'ETIMEDOUT' | 'EAI_AGAIN') {
    super(code === 'ETIMEDOUT' ? 'connect timed out' : 'lookup timed out');
    this.code = code;
  }
}

/**
 * Connects to one endpoint: resolves its name and tries its addresses in turn, the next one as soon as the last has
 * failed or been silent for 250 ms; the first to connect wins and the others are destroyed. When it has ended no other
 * socket, timer or listener is left, and an answer that comes later has no effect.
 *
 * Callbacks and a plain `cancel`, because every stream of the agent begins here: a promise, an AbortSignal and its
 * error cost more than all the rest of the dial outside the kernel.
 */
export class EndpointDial {
  readonly #endpoint: HostPort;
  readonly #deps: DialDeps;
  readonly #owner: EndpointOwner;
  /** Undefined while the name is being resolved. */
  #untried: LookupAddress[] | undefined;
  #connecting: Socket[] = [];
  #cancelDeadline: (() => void) | undefined;
  #cancelStagger: (() => void) | undefined;
  #settled = false;

  constructor(endpoint: HostPort, deps: DialDeps, owner: EndpointOwner) {
    this.#endpoint = endpoint;
    this.#deps = deps;
    this.#owner = owner;
  }

  /** @param deadlineMs for lookup and connect together */
  start(deadlineMs: number): void {
    const { host } = this.#endpoint;
    this.#cancelDeadline = this.#deps.clock.after(deadlineMs, () => {
      this.#fail(new DialTimeout(this.#untried === undefined ? 'EAI_AGAIN' : 'ETIMEDOUT'));
    });
    const family = isIP(host);
    if (family !== 0) this.#begin([{ address: host, family }]);
    else {
      this.#deps.lookup(host).then(
        (addresses) => this.#begin([...addresses]),
        (error: unknown) => this.#fail(error),
      );
    }
  }

  /** Ends it now; the owner hears nothing. Does nothing after the end. */
  cancel(): void {
    this.#settle();
  }

  #begin(addresses: LookupAddress[]): void {
    this.#untried = addresses;
    this.#tryNext(undefined);
  }

  /** @param lastError what to fail with when there is nothing left to try or to wait for */
  #tryNext(lastError: unknown): void {
    if (this.#settled) return;
    this.#cancelStagger?.();
    const address = this.#untried?.shift();
    if (address === undefined) {
      if (this.#connecting.length === 0) this.#fail(lastError ?? noAddress());
      return;
    }
    let socket: Socket;
    try {
      socket = this.#connect(address);
    } catch (error) {
      this.#fail(error);
      return;
    }
    // Paused before it connects, so that not a byte and not even a reset is read before the pipe is there.
    socket.pause();
    this.#connecting.push(socket);
    socket.on('connect', () => this.#win(socket));
    socket.on('error', (error) => this.#lose(socket, error));
    if (this.#untried?.length === 0) return;
    this.#cancelStagger = this.#deps.clock.after(STAGGER_MS, () => this.#tryNext(lastError));
  }

  #connect({ address, family }: LookupAddress): Socket {
    return (this.#deps.connect ?? netConnect)({
      host: address,
      family,
      port: this.#endpoint.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    });
  }

  #win(socket: Socket): void {
    if (this.#settled) return;
    // An error before the new owner listens must not end the process; `socket.errored` keeps it. The listeners of the
    // dial go, so that a stream does not hold its dial for as long as it lives.
    socket.removeAllListeners('connect').removeAllListeners('error').on('error', ignore);
    this.#connecting = this.#connecting.filter((other) => other !== socket);
    this.#settle();
    this.#owner.onConnected(socket);
  }

  #lose(socket: Socket, error: Error): void {
    if (this.#settled) return;
    this.#connecting = this.#connecting.filter((other) => other !== socket);
    this.#tryNext(error);
  }

  #fail(error: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#owner.onFailed(error);
  }

  #settle(): void {
    this.#settled = true;
    this.#cancelDeadline?.();
    this.#cancelStagger?.();
    for (const socket of this.#connecting) socket.destroy();
    this.#connecting = [];
  }
}

function noAddress(): Error {
  return Object.assign(new Error('the name has no address'), { code: 'ENODATA' });
}

function ignore(): void {
  // See #win.
}
