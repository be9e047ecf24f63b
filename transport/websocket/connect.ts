/** The agent's side of the opening handshake. */
import { randomBytes } from 'node:crypto';
import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { SUBPROTOCOL } from '../../protocol/index.js';
import type { Link } from '../link.js';
import { checkAnswer, VERSION } from './handshake.js';
import { secureContextFor, type TlsOptions } from './secure-context.js';
import { SocketLink } from './socket-link.js';

/** The hub answered the upgrade with something other than 101. */
export class UpgradeError extends Error {
  override readonly name = 'UpgradeError';
  readonly status: number;
  /** Seconds of a Retry-After header, when there is one. */
  readonly retryAfterSec: number | undefined;
  constructor(status: number, retryAfter: string | undefined) {
    super(`the upgrade was answered with HTTP ${status}`);
    this.status = status;
    const seconds = Number(retryAfter);
    this.retryAfterSec = retryAfter !== undefined && seconds >= 0 && seconds <= 3600 ? seconds : undefined;
  }
}

export interface ConnectOptions {
  /** ws: or wss: */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Goes through a proxy; absent = direct. */
  readonly httpAgent: Agent | undefined;
  readonly tls: TlsOptions;
  readonly signal: AbortSignal;
  /** For name, connection, proxy, TLS and upgrade together. */
  readonly deadlineMs: number;
}

/**
 * Dials a hub. Rejects with what the network or TLS said, with UpgradeError when the answer is not 101, and with a
 * plain Error `code: 'ETIMEDOUT'` at the deadline; then nothing of the attempt is left open but what `httpAgent` holds.
 */
export function connectLink(options: ConnectOptions): Promise<Link> {
  const url = new URL(options.url);
  const secure = url.protocol === 'wss:';
  url.protocol = secure ? 'https:' : 'http:';
  const key = randomBytes(16).toString('base64');
  const request = (secure ? httpsRequest : httpRequest)(url, {
    agent: options.httpAgent ?? false,
    headers: {
      ...options.headers,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Version': VERSION,
      'Sec-WebSocket-Protocol': SUBPROTOCOL,
    },
    ...(secure && { secureContext: secureContextFor(options.tls), ALPNProtocols: ['http/1.1'] }),
  });
  return new Promise<Link>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      request.off('error', fail);
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
      request.on('error', () => {
        // Destroying a request that is under way reports once more.
      });
      // Not destroy(): while the proxy has not given a socket yet, only this tells `httpAgent` that nobody waits for it.
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- destroy() does not do it, see above
      request.abort();
    };
    const onAbort = (): void =>
      fail(Object.assign(new Error('the attempt was cancelled'), { code: 'ABORT_ERR' }));
    const timer = setTimeout(
      () => fail(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
      options.deadlineMs,
    );
    options.signal.addEventListener('abort', onAbort, { once: true });
    request.on('error', fail);
    // Also a 101 of which a proxy in between took the headers that make it one.
    request.on('response', (response: IncomingMessage) =>
      fail(refusal(response, key) ?? unexpected(response)),
    );
    request.on('upgrade', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      const refused = refusal(response, key);
      if (refused !== undefined) {
        socket.destroy();
        fail(refused);
        return;
      }
      settle();
      resolve(new SocketLink(socket, head, secure ? 'zero' : 'random'));
    });
    if (options.signal.aborted) onAbort();
    else request.end();
  });
}

/** Why that answer makes no link, or undefined. */
function refusal(response: IncomingMessage, key: string): Error | undefined {
  if (response.statusCode !== 101) return unexpected(response);
  const fault = checkAnswer(response.headers, key);
  return fault === undefined ? undefined : new Error(fault);
}

function unexpected({ statusCode, headers }: IncomingMessage): UpgradeError {
  return new UpgradeError(statusCode ?? 0, headers['retry-after']);
}
