import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { acceptLink } from '../../../transport/websocket/accept.js';
import type { Certificate } from '../../support/pki.js';
import { portOf } from '../../support/tcp-targets.js';

export interface TestHub {
  readonly port: number;
  /** Authorization headers of the upgrades. */
  readonly tokens: string[];
  stop(): Promise<void>;
}

/** Accepts every upgrade, or answers all of them with `status`; over TLS when given a certificate. */
export function startHub(certificate?: Certificate, status?: number): Promise<TestHub> {
  const tokens: string[] = [];
  const open = new Set<Duplex>();
  const server =
    certificate === undefined
      ? createHttpServer()
      : createHttpsServer({
          cert: readFileSync(certificate.certFile),
          key: readFileSync(certificate.keyFile),
        });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    tokens.push(request.headers.authorization ?? '');
    if (status === undefined) acceptLink(request, socket, head, () => undefined);
    else
      socket.end(
        `HTTP/1.1 ${status} Test\r\nRetry-After: 7\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
  });
  server.on('connection', (socket: Duplex) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => undefined);
  });
  return new Promise((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      resolve({
        port: portOf(server),
        tokens,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of open) socket.destroy();
          }),
      });
    });
  });
}
