/** A TCP relay between the two ends of a link, for what no WebSocket library does of itself: to fall silent, to break off. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { portOf } from '../../support/tcp-targets.js';

export type End = 'client' | 'server';

export class LinkRelay {
  readonly port: number;
  readonly #listener: Server;
  readonly #sockets: { client: Socket; server: Socket }[] = [];

  private constructor(listener: Server) {
    this.#listener = listener;
    this.port = portOf(listener);
  }

  static async start(serverPort: number): Promise<LinkRelay> {
    const listener = createServer({ allowHalfOpen: true });
    listener.listen({ host: '127.0.0.1', port: 0 });
    await once(listener, 'listening');
    const relay = new LinkRelay(listener);
    listener.on('connection', (client) => {
      const server = connect({ host: '127.0.0.1', port: serverPort, allowHalfOpen: true });
      relay.#sockets.push({ client, server });
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.on('error', () => {
          // 'close' follows.
        });
        from.once('close', () => to.destroy());
        from.setNoDelay(true);
        from.pipe(to);
      }
    });
    return relay;
  }

  get #newest(): { client: Socket; server: Socket } {
    const newest = this.#sockets.at(-1);
    if (newest === undefined) throw new Error('nobody has connected');
    return newest;
  }

  /** Reads no more of what that end sends. */
  hold(end: End): void {
    const { [end]: socket, [other(end)]: to } = this.#newest;
    socket.unpipe(to);
    socket.pause();
  }
  goOn(end: End): void {
    const { [end]: socket, [other(end)]: to } = this.#newest;
    socket.pipe(to);
  }
  /** That end reads a FIN, and no close frame before it; what it sends goes nowhere. */
  fin(end: End): void {
    this.hold('client');
    this.hold('server');
    const { [end]: socket } = this.#newest;
    socket.end();
    socket.resume();
  }
  /** That end reads a reset. */
  reset(end: End): void {
    this.#newest[end].resetAndDestroy();
  }

  stop(): void {
    this.#listener.close();
    for (const { client, server } of this.#sockets) for (const socket of [client, server]) socket.destroy();
  }
}

export function other(end: End): End {
  return end === 'client' ? 'server' : 'client';
}
