/**
 * The way out through an HTTP CONNECT proxy. proxy-agent speaks to the proxy; what it lacks is added here: a deadline
 * over the CONNECT, a bound on the bytes of the answer, cancellation of the pending socket, typed errors, and
 * credentials that stay out of its debug output. Only importer of proxy-agent.
 */
import type { EventEmitter } from 'node:events';
import type { Agent, ClientRequest, OutgoingHttpHeaders } from 'node:http';
import { ProxyAgent } from 'proxy-agent';
import type { ProxyConfig } from '../../config/types.js';
import { systemClock, type Clock } from '../../transport/clock.js';
import { AnswerBound } from './answer-bound.js';
import { errorCode } from './error-code.js';
import { chooseProxy, type Environment, type ProxyChoice } from './proxy-choice.js';
import { ProxyError, toProxyError } from './proxy-error.js';

const DEFAULT_CONNECT_DEADLINE_MS = 10_000;

/** Most bytes of an answer to CONNECT; refusals with a whole error page stay well below it. */
const MAX_ANSWER_BYTES = 65_536;

/** How one dial attempt leaves the machine. Make one per attempt; destroy it when the attempt has failed. */
export interface DialAgent {
  /** For the request that upgrades; undefined for a direct connection. */
  readonly httpAgent: Agent | undefined;
  /** For logs: the proxy and where it was set, credentials masked; `direct` without one. */
  describe(): string;
  /**
   * What the error that ended the attempt really was: a {@link ProxyError} when the proxy had not opened the tunnel yet,
   * else the error itself.
   */
  attribute(error: unknown): unknown;
  /** Cancels what is pending. A connection that was already upgraded is its new owner's and stays. Idempotent. */
  destroy(): void;
}

export interface DialAgentOptions {
  /** ws: or wss: URL of the hub. */
  readonly targetUrl: string;
  readonly proxy: ProxyConfig;
  readonly env: Environment;
  /** Roots for an https:// proxy; undefined means the built-in ones. The hub's own TLS is the caller's request. */
  readonly tls: { readonly ca: readonly string[] | undefined };
  /** For DNS, TCP, TLS to the proxy and its answer together. */
  readonly deadlineMs?: number;
  readonly clock?: Clock;
}

/**
 * Prepares one dial to the hub.
 * @throws ProxyConfigError when the proxy setting that counts cannot be used
 */
export function createDialAgent(options: DialAgentOptions): DialAgent {
  const targetUrl = new URL(options.targetUrl);
  const choice = chooseProxy(targetUrl, options.proxy, options.env);
  if (choice !== undefined) return new ProxiedDial(choice, targetUrl.protocol === 'wss:', options);
  return {
    httpAgent: undefined,
    describe: () => 'direct',
    attribute: (error) => error,
    destroy: () => undefined,
  };
}

class ProxiedDial implements DialAgent {
  readonly httpAgent: ProxyAgent;
  readonly #choice: ProxyChoice;
  readonly #deadlineMs: number;
  readonly #clock: Clock;
  /** Destroys the socket to the proxy, whatever state the library left it in. */
  readonly #abort = new AbortController();
  #bound: AnswerBound | undefined;
  #cancelDeadline: (() => void) | undefined;
  /** What this class found wrong itself. */
  #failure: ProxyError | undefined;
  #tunnelOpen = false;
  #handedOver = false;

  constructor(choice: ProxyChoice, secure: boolean, options: DialAgentOptions) {
    this.#choice = choice;
    this.#deadlineMs = options.deadlineMs ?? DEFAULT_CONNECT_DEADLINE_MS;
    this.#clock = options.clock ?? systemClock;
    const ca = options.tls.ca;
    // A variable, not a literal: the library's types know `ca` only for a proxy whose scheme is a compile-time
    // constant, and `signal` not at all. It hands all of these to net.connect or tls.connect as they are.
    const passedOn = {
      ...(ca === undefined ? {} : { ca: [...ca] }),
      signal: this.#abort.signal,
      headers: () => this.#connectHeaders(),
      getProxyForUrl: (_url: string, request: ClientRequest) => this.#onDial(request),
    };
    this.httpAgent = new ProxyAgent(passedOn);
    // Otherwise the library looks for "node:https:" in a stack trace.
    this.httpAgent.isSecureEndpoint = () => secure;
  }

  describe(): string {
    return this.#choice.description;
  }

  attribute(error: unknown): unknown {
    if (this.#failure !== undefined) return this.#failure;
    // An attempt that was cancelled is nobody's fault.
    if (this.#tunnelOpen || errorCode(error) === 'ABORT_ERR') return error;
    return toProxyError(error, this.#choice.description);
  }

  destroy(): void {
    this.#cancel();
    this.httpAgent.destroy();
  }

  /** The library asks which proxy to use: the attempt begins. */
  #onDial(request: ClientRequest): string {
    this.#cancelDeadline = this.#clock.after(this.#deadlineMs, () => {
      const message = `the proxy ${this.#choice.description} did not answer CONNECT within ${this.#deadlineMs} ms`;
      this.#fail(request, new ProxyError('timeout', message));
    });
    this.#bound = new AnswerBound(MAX_ANSWER_BYTES, () => {
      const message = `the proxy ${this.#choice.description} sent more than ${MAX_ANSWER_BYTES} bytes without an HTTP answer to CONNECT`;
      this.#fail(request, new ProxyError('bad_response', message));
    });
    // A request given up before it has a socket tells nobody but by this deprecated event; the link gives up with abort().
    const events: EventEmitter = request;
    events.once('abort', () => {
      this.#cancel();
    });
    request.once('error', () => {
      this.#cancel();
    });
    request.once('proxyConnect', (answer: { statusCode: number }) => {
      this.#onAnswer(answer.statusCode, request);
    });
    request.once('socket', () => {
      this.#handedOver = true;
      this.#endWatch();
    });
    return this.#choice.url;
  }

  /** Called by the library right after it made its socket. */
  #connectHeaders(): OutgoingHttpHeaders {
    this.#bound?.take();
    const { authorization } = this.#choice;
    return authorization === undefined ? {} : { 'Proxy-Authorization': authorization };
  }

  #onAnswer(status: number, request: ClientRequest): void {
    this.#bound?.stop();
    if (status === 200) {
      this.#tunnelOpen = true;
      return;
    }
    // Left alone, the library would replay the proxy's answer as if it were the hub's.
    const name = `the proxy ${this.#choice.description}`;
    const error = Number.isInteger(status)
      ? new ProxyError('refused', `${name} answered CONNECT with status ${status}`, { status })
      : new ProxyError('bad_response', `${name} did not answer CONNECT with HTTP`);
    this.#fail(request, error);
  }

  #fail(request: ClientRequest, error: ProxyError): void {
    // The request may fail with this error or with the AbortError of the socket: attribute() makes it this one.
    this.#failure = error;
    request.destroy(error);
    this.#cancel();
  }

  #cancel(): void {
    this.#endWatch();
    if (!this.#handedOver) this.#abort.abort();
  }

  #endWatch(): void {
    this.#cancelDeadline?.();
    this.#bound?.stop();
  }
}
