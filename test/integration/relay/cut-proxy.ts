/** A TCP proxy in front of the hub's tunnel port that can lose what goes through it. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { Transform } from 'node:stream';
import { portOf } from '../../support/tcp-targets.js';

export class CutProxy {
  readonly url: string;
  /** While true, new connections are reset at once. */
  closed = false;
  /** Connections so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #armed: { passBytes: number; loseBytes: number; readonly fire: () => void } | undefined;

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

  /**
   * Lets `passBytes` more from the hub through, keeps the next `loseBytes` at least to itself, and then cuts: what the hub
   * wrote last is certain to be lost. Gives how many bytes that were.
   */
  async cutLosing(passBytes: number, loseBytes: number): Promise<number> {
    const armed = { passBytes, loseBytes };
    await new Promise<void>((fire) => (this.#armed = Object.assign(armed, { fire })));
    return loseBytes - armed.loseBytes;
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
      if (from === agent) from.pipe(to);
      else from.pipe(this.#losing()).pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  /** What comes from the hub goes through here: all of it, until a cut is armed. */
  #losing(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _, done) => {
        const armed = this.#armed;
        if (armed === undefined || armed.passBytes > 0) {
          if (armed !== undefined) armed.passBytes -= chunk.length;
          done(null, chunk);
          return;
        }
        armed.loseBytes -= chunk.length;
        if (armed.loseBytes <= 0) {
          this.#armed = undefined;
          this.cut();
          armed.fire();
        }
        done();
      },
    });
  }
}
