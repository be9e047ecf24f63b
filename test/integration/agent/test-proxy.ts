/** An HTTP CONNECT proxy for tests, and the ways in which a proxy misbehaves. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { readFileSync } from 'node:fs';
import type { Certificate } from '../../support/pki.js';
import { portOf } from '../../support/tcp-targets.js';

/** What to do with the first bytes of a connection, which are the whole CONNECT request. */
export type Manners = (socket: Socket, request: string) => void;

export interface TestProxy {
  readonly port: number;
  /** The request heads that came in. */
  readonly requests: string[];
  /** Connections that are open now. */
  readonly open: ReadonlySet<Socket>;
  stop(): Promise<void>;
}

/** Starts a proxy with such manners on a free loopback port, over TLS when given a certificate. */
export function startProxy(manners: Manners, certificate?: Certificate): Promise<TestProxy> {
  const requests: string[] = [];
  const open = new Set<Socket>();
  const serve = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => {
      // The test looks at the client's side.
    });
    socket.once('data', (bytes: Buffer) => {
      requests.push(bytes.toString('latin1'));
      manners(socket, bytes.toString('latin1'));
    });
  };
  const server: Server =
    certificate === undefined
      ? createServer(serve)
      : createTlsServer(
          { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) },
          serve,
        );
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.on('tlsClientError', () => {
      // A client that does not trust us is part of a test.
    });
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      resolve({
        port: portOf(server),
        requests,
        open,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of open) socket.destroy();
          }),
      });
    });
  });
}

/** Opens the tunnel, wherever the client wants to go, to this loopback port. */
export function tunnelTo(port: number): Manners {
  return (socket) => {
    const onward = connect({ host: '127.0.0.1', port });
    onward.on('error', () => socket.destroy());
    onward.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    socket.once('close', () => onward.destroy());
  };
}

/** Answers so and leaves the connection open. */
export function say(text: string): Manners {
  return (socket) => socket.write(text);
}

/** Answers so and closes. */
export function sayAndClose(text: string): Manners {
  return (socket) => socket.end(text);
}

/** Accepts and stays silent. */
export const silent: Manners = () => undefined;

/** Never stops talking. */
export const endless: Manners = (socket) => {
  const chunk = Buffer.alloc(65_536, 'x');
  const talk = (): void => {
    while (socket.writable && socket.write(chunk)) continue;
  };
  socket.on('drain', talk);
  talk();
};
