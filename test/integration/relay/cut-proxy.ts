/** A TCP proxy in front of the hub's tunnel port that can lose what goes through it. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { portOf } from '../../support/tcp-targets.js';

export class CutProxy {
  readonly url: string;
  /** While true, new connections are reset at once. */
  closed = false;
  /** Connections so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${portOf(server)}/tunnel`;
  }

  static async start(hubPort: number): Promise<CutProxy> {
    const server = createServer();
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const proxy = new CutProxy(server);
    server.on('connection', (agent) => proxy.#onConnection(agent, hubPort));
    return proxy;
  }

  /** Breaks every connection, on both sides, without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #onConnection(agent: Socket, hubPort: number): void {
    this.connections += 1;
    if (this.closed) {
      agent.resetAndDestroy();
      return;
    }
    const hub = connect({ host: '127.0.0.1', port: hubPort });
    for (const [from, to] of [
      [agent, hub],
      [hub, agent],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
