import type { LookupAddress } from 'node:dns';
import { connect as netConnect, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { HostPort } from '../../config/types.js';
import type { Clock } from '../../transport/clock.js';
import type { Lookup } from './shared-lookup.js';

/** RFC 8305 §5: after this long without an answer the next address is tried beside the first. */
const STAGGER_MS = 250;
/** Long enough not to disturb a quiet session, short enough to notice a dead peer within minutes. */
const KEEPALIVE_DELAY_MS = 60_000;

/** What dialling needs from outside. */
export interface DialDeps {
  /** One sharedLookup() for all dials. */
  readonly lookup: Lookup;
  readonly clock: Clock;
  /** net.connect; tests pass their own. */
  readonly connect?: (options: TcpNetConnectOpts) => Socket;
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
 * failed or been silent for 250 ms; the first to connect wins and the others are destroyed.
 * @param deadlineMs for lookup and connect together
 * @returns a connected, paused socket: allowHalfOpen, no Nagle, keepalive
 * @throws the signal's reason when it aborts, DialTimeout, or the error of the address that failed last. In every
 *   case no socket, timer or listener is left, and an answer that comes later has no effect.
 */
export function dialEndpoint(
  endpoint: HostPort,
  deadlineMs: number,
  signal: AbortSignal,
  deps: DialDeps,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    new EndpointDial(endpoint, signal, deps, resolve, reject).start(deadlineMs);
  });
}

class EndpointDial {
  readonly #endpoint: HostPort;
  readonly #signal: AbortSignal;
  readonly #deps: DialDeps;
  readonly #resolve: (socket: Socket) => void;
  readonly #reject: (error: unknown) => void;
  /** Undefined while the name is being resolved. */
  #untried: LookupAddress[] | undefined;
  readonly #connecting = new Set<Socket>();
  #cancelDeadline: (() => void) | undefined;
  #cancelStagger: (() => void) | undefined;
  #settled = false;

  constructor(
    endpoint: HostPort,
    signal: AbortSignal,
    deps: DialDeps,
    resolve: (socket: Socket) => void,
    reject: (error: unknown) => void,
  ) {
    this.#endpoint = endpoint;
    this.#signal = signal;
    this.#deps = deps;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(deadlineMs: number): void {
    if (this.#signal.aborted) {
      this.#fail(this.#signal.reason);
      return;
    }
    this.#signal.addEventListener('abort', this.#onAbort);
    this.#cancelDeadline = this.#deps.clock.after(deadlineMs, () => {
      this.#fail(new DialTimeout(this.#untried === undefined ? 'EAI_AGAIN' : 'ETIMEDOUT'));
    });
    this.#deps
      .lookup(this.#endpoint.host)
      .then((addresses) => {
        this.#untried = [...addresses];
        this.#tryNext(Object.assign(new Error('the name has no address'), { code: 'ENODATA' }));
      })
      .catch((error: unknown) => {
        this.#fail(error);
      });
  }

  readonly #onAbort = (): void => {
    this.#fail(this.#signal.reason);
  };

  /** @param lastError what to fail with when there is nothing left to try or to wait for */
  #tryNext(lastError: unknown): void {
    if (this.#settled) return;
    this.#cancelStagger?.();
    const address = this.#untried?.shift();
    if (address === undefined) {
      if (this.#connecting.size === 0) this.#fail(lastError);
      return;
    }
    const socket = this.#connect(address);
    // Paused before it connects, so that not a byte and not even a reset is read before the pipe is there.
    socket.pause();
    this.#connecting.add(socket);
    socket.once('connect', () => {
      this.#win(socket);
    });
    // Stays on for good: an error before the new owner listens must not end the process; `socket.errored` keeps it.
    socket.on('error', (error) => {
      if (this.#connecting.delete(socket)) this.#tryNext(error);
    });
    this.#cancelStagger = this.#deps.clock.after(STAGGER_MS, () => {
      this.#tryNext(lastError);
    });
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
    this.#connecting.delete(socket);
    this.#settle();
    this.#resolve(socket);
  }

  #fail(error: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#settled = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#cancelDeadline?.();
    this.#cancelStagger?.();
    for (const socket of this.#connecting) socket.destroy();
    this.#connecting.clear();
  }
}
