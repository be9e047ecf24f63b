import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { readToEnd, type Ending } from '../../support/tcp-client.js';
import { portOf } from '../../support/tcp-targets.js';

/** Loopback connections of one test; all are gone after `close`. */
export class Sockets {
  readonly #sockets = new Set<Socket>();
  readonly #servers: Server[] = [];

  /** Both ends of one connection: `ours` as a listener accepts it (paused, half-open), `theirs` half-open too. */
  async pair(): Promise<{ ours: Socket; theirs: Socket }> {
    const server = await this.listen();
    const accepting = once(server, 'connection') as Promise<[Socket]>;
    const theirs = await this.dial(portOf(server));
    const [ours] = await accepting;
    return { ours: this.own(ours), theirs };
  }

  /** A listening socket like the hub's. */
  async listen(): Promise<Server> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    this.#servers.push(server);
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return server;
  }

  /** A connected socket like the agent's: paused, half-open. */
  async dial(port: number): Promise<Socket> {
    const socket = this.own(connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true }));
    socket.pause();
    await once(socket, 'connect');
    return socket;
  }

  own(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {
      // Who looks at it sees it at `errored`.
    });
    return socket;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }
}

/** Reads a paused socket to its end. */
export function endingOf(socket: Socket): Promise<Ending> {
  const ending = readToEnd(socket);
  socket.resume();
  return ending;
}
