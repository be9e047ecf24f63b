import type { Agent } from 'node:http';
import { request } from 'node:https';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { systemClock, type Clock } from '../../transport/clock.js';

const DEADLINE_MS = 5000;
const MAX_NAME_CHARS = 200;

export interface PeerIssuerOptions {
  /** wss: URL of the hub. */
  readonly url: string;
  /** A fresh DialAgent's httpAgent; undefined for a direct connection. */
  readonly httpAgent: Agent | undefined;
  readonly signal: AbortSignal;
  readonly deadlineMs?: number;
  readonly clock?: Clock;
}

/**
 * Finds out who issued the certificate that a server shows, after verification has failed: Node does not tell, and
 * the name of the issuer is what shows TLS inspection at a glance. The handshake is done without verification and
 * nothing at all is sent over it.
 * @returns "CN, O" of the issuer, cleared of control characters; undefined when it cannot be found out. Never rejects.
 */
export function fetchPeerIssuer(options: PeerIssuerOptions): Promise<string | undefined> {
  const { hostname, port } = new URL(options.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    if (options.signal.aborted) {
      resolve(undefined);
      return;
    }
    // Never ended, so that not even a request line leaves.
    const probe = request({
      host,
      port: port === '' ? 443 : Number(port),
      servername: isIP(host) === 0 ? host : '',
      agent: options.httpAgent ?? false,
      rejectUnauthorized: false,
    });
    const finish = (issuer?: string): void => {
      cancelDeadline();
      options.signal.removeEventListener('abort', onAbort);
      probe.destroy();
      resolve(issuer);
    };
    const onAbort = (): void => {
      finish();
    };
    const cancelDeadline = (options.clock ?? systemClock).after(options.deadlineMs ?? DEADLINE_MS, onAbort);
    options.signal.addEventListener('abort', onAbort);
    probe.on('error', onAbort);
    probe.once('socket', (socket) => {
      if (!(socket instanceof TLSSocket)) return;
      socket.once('secureConnect', () => {
        finish(issuerName(socket));
      });
    });
  });
}

function issuerName(socket: TLSSocket): string | undefined {
  // Typed as always present, but absent for a name without such a part.
  const issuer = socket.getPeerCertificate().issuer as { CN?: unknown; O?: unknown } | undefined;
  const parts = [issuer?.CN, issuer?.O].flat().filter((part) => typeof part === 'string');
  const name = [...new Set(parts)]
    .join(', ')
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ')
    .slice(0, MAX_NAME_CHARS);
  return name === '' ? undefined : name;
}
