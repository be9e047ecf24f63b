/**
 * The hub's tunnel port: HTTP(S) that answers /healthz and upgrades agents. The token is verified before the 101, so no
 * WebSocket exists for a peer that is not known (design promise 7).
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { ConfigError, type ConfigIssue } from '../../config/issue.js';
import type { HubTlsConfig, HubTunnelConfig } from '../../config/types.js';
import type { Link } from '../../transport/link.js';
import { acceptLink } from '../../transport/websocket/accept.js';
import { offersSubprotocol } from '../../transport/websocket/handshake.js';
import { bearerToken } from '../auth/bearer.js';
import { AuthError } from '../auth/errors.js';
import type { Identity } from '../auth/verify.js';
import { MAX_PENDING, PendingConnections } from './pending-connections.js';

export interface EndpointHooks {
  /** Throws AuthError. */
  verify(token: string): Promise<Identity>;
  /** True while no tunnel of this agent is taken: answered 503. */
  draining(identity: Identity): boolean;
  onLink(link: Link, identity: Identity): void;
  onAuthFailed(error: AuthError, peer: string): void;
  /** An upgrade refused for another reason than the token. */
  onRejected(status: number, detail: string, peer: string): void;
  /** A connection that was no tunnel yet was closed, as there are too many of its kind. */
  onCrowded(peer: string): void;
}

/** Tokens have up to 16 KiB; the other headers need little. */
const MAX_HEADER_BYTES = 32_768;
const HEADERS_TIMEOUT_MS = 10_000;
/** Upgrades whose token is being verified at the same time; more are answered 503. */
const MAX_VERIFYING = 2000;
/** Requests that never become tunnels hold a connection at most this long without traffic. */
const IDLE_TIMEOUT_MS = 15_000;

/** The TLS files, read anew; throws a ConfigError that names the key and the file. */
function readTls(tls: HubTlsConfig): { cert: Buffer; key: Buffer; ca?: Buffer } {
  const read = (key: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      const hint = 'check the path and its permissions';
      throw unusable(file, `tunnel.tls.${key}`, `cannot be read (${code})`, hint);
    }
  };
  const pair = { cert: read('cert_file', tls.certFile), key: read('key_file', tls.keyFile) };
  // TLS itself takes a key of another kind (EC beside an RSA certificate), and then every handshake fails.
  if (!new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key))) {
    throw new Error('the key is of another certificate');
  }
  return tls.clientCaFile === undefined ? pair : { ...pair, ca: read('client_ca_file', tls.clientCaFile) };
}

export class TunnelEndpoint {
  readonly #config: HubTunnelConfig;
  readonly #hooks: EndpointHooks;
  readonly #server: Server | HttpsServer;
  readonly #pending: PendingConnections;
  #verifying = 0;
  #closing: Promise<void> | undefined;

  /**
   * @param maxPending connections that may be no tunnel yet at the same time
   * @throws ConfigError when a TLS file cannot be used
   */
  constructor(config: HubTunnelConfig, hooks: EndpointHooks, maxPending = MAX_PENDING) {
    this.#config = config;
    this.#hooks = hooks;
    this.#pending = new PendingConnections(maxPending, (peer) => hooks.onCrowded(peer));
    this.#server = this.#createServer();
    this.#server.on('connection', (socket: Socket) => this.#pending.add(socket));
    this.#server.setTimeout(IDLE_TIMEOUT_MS, (socket) => socket.destroy());
    this.#server.on('request', (request, response) => {
      const status = request.url === '/healthz' ? 200 : pathOf(request) === config.path ? 426 : 404;
      response.writeHead(status, {
        'Content-Type': status === 200 ? 'application/json' : 'text/plain; charset=utf-8',
        Connection: 'close',
        ...(status === 426 && { Upgrade: 'websocket' }),
      });
      response.end(status === 200 ? '{"status":"ok"}\n' : `${STATUS_CODES[status] ?? ''}\n`);
    });
    this.#server.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  #createServer(): Server | HttpsServer {
    const options = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: HEADERS_TIMEOUT_MS,
      noDelay: true,
    };
    const { tls } = this.#config;
    if (tls === undefined) return createHttpServer(options);
    try {
      return createHttpsServer({
        ...options,
        ...readTls(tls),
        minVersion: tls.minVersion,
        requestCert: tls.clientCaFile !== undefined,
        rejectUnauthorized: tls.clientCaFile !== undefined,
        handshakeTimeout: HEADERS_TIMEOUT_MS,
        ALPNProtocols: ['http/1.1'],
      });
    } catch (error) {
      throw tlsError(error, tls);
    }
  }

  /** Opens the port and answers the one in use. Rejects with an Error that names address and key. */
  listen(): Promise<number> {
    const { host, port } = this.#config;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'the port is in use' : (error.code ?? error.message);
        reject(new Error(`cannot listen on ${host}:${port} (tunnel.host, tunnel.port): ${why}`));
      });
      this.#server.listen({ host, port }, () => {
        this.#server.removeAllListeners('error');
        // A failed accept must not end the daemon; the agent tries again.
        this.#server.on('error', () => undefined);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /**
   * Reads the certificate files again; what it returns puts them in force, for connections from then on.
   * @throws Error when they are unusable; nothing has changed then
   */
  prepareTls(): () => void {
    const { tls } = this.#config;
    if (tls === undefined) return () => undefined;
    try {
      const options = { ...readTls(tls), minVersion: tls.minVersion };
      createSecureContext(options);
      return () => (this.#server as HttpsServer).setSecureContext(options);
    } catch (error) {
      throw tlsError(error, tls);
    }
  }

  /** Stops listening; tunnels that were handed on stay. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      if (!this.#server.listening) {
        resolve();
        return;
      }
      // Upgraded sockets are no longer the server's; waiting for them would wait for the tunnels.
      this.#server.close();
      this.#server.closeAllConnections();
      resolve();
    });
    return this.#closing;
  }

  async #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const peer = request.socket.remoteAddress ?? '';
    const refusal = this.#refusal(request);
    if (refusal !== undefined) {
      this.#hooks.onRejected(refusal.status, refusal.detail, peer);
      answer(socket, refusal.status);
      return;
    }
    this.#verifying++;
    try {
      const identity = await this.#hooks.verify(bearerToken(request.headersDistinct));
      if (!offersSubprotocol(request)) {
        this.#hooks.onRejected(400, 'the subprotocol is not offered', peer);
        answer(socket, 400);
      } else if (this.#hooks.draining(identity)) {
        this.#hooks.onRejected(503, 'the hub is draining', peer);
        answer(socket, 503);
      } else if (!socket.destroyed) {
        request.socket.setTimeout(0);
        this.#pending.release(request.socket);
        acceptLink(request, socket, head, (link) => this.#hooks.onLink(link, identity));
      }
    } catch (error) {
      answer(socket, error instanceof AuthError ? 401 : 500);
      if (error instanceof AuthError) this.#hooks.onAuthFailed(error, peer);
      else this.#hooks.onRejected(500, `internal error: ${String(error)}`, peer);
    } finally {
      this.#verifying--;
    }
  }

  #refusal(request: IncomingMessage): { status: number; detail: string } | undefined {
    if (pathOf(request) !== this.#config.path) return { status: 404, detail: 'the path is not tunnel.path' };
    if (this.#verifying >= MAX_VERIFYING) return { status: 503, detail: 'too many upgrades at once' };
    return undefined;
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** Answers an upgrade without a body: the reason is in the log only. */
function answer(socket: Duplex, status: number): void {
  if (socket.destroyed) return;
  const extra = status === 401 ? 'WWW-Authenticate: Bearer\r\n' : status === 503 ? 'Retry-After: 1\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n${extra}\r\n`,
    () => socket.destroy(),
  );
}

function tlsError(error: unknown, { certFile }: HubTlsConfig): Error {
  if (error instanceof ConfigError) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  return unusable(
    certFile,
    'tunnel.tls',
    `the certificate or key cannot be used (${code ?? message})`,
    'both must be PEM, and the key must belong to the certificate',
  );
}

function unusable(file: string, path: string, message: string, hint: string): ConfigError {
  const issue: ConfigIssue = { file, line: undefined, column: undefined, path, message, hint };
  return new ConfigError([issue]);
}
