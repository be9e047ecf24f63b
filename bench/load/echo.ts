/** Round trips of one byte, and connections that live for one round trip. */
import { encodeHeader, Mode } from './header.js';
import { connectRaw, type RawHandlers, type RawSocket } from './raw-tcp.js';

const ONE_BYTE = Buffer.from([0x31]);
/** Header and first byte in one write, as a client that speaks first does. */
const FIRST = Buffer.concat([encodeHeader(Mode.Echo, 0), ONE_BYTE]);

interface Opens {
  /** Within the window. */
  readonly perSec: number;
  /** In all, before and behind the window too. */
  readonly total: number;
}

interface RoundTrips {
  readonly count: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** The value below which that share of the sorted numbers lies (nearest rank). */
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

export class EchoLoad {
  readonly #open = new Set<RawSocket>();

  /** One stream, one byte at a time, the next as soon as the last is back. */
  roundTrips({ port, warmMs, ms }: { readonly port: number; readonly warmMs: number; readonly ms: number }) {
    return new Promise<RoundTrips>((resolve, reject) => {
      const samples: number[] = [];
      const begin = performance.now() + warmMs;
      let sentAt = 0;
      const send = (socket: RawSocket, bytes: Buffer): void => {
        sentAt = performance.now();
        socket.write(bytes);
      };
      const handlers: RawHandlers = {
        onBytes: (socket) => {
          const now = performance.now();
          if (sentAt >= begin) samples.push((now - sentAt) * 1000);
          if (now < begin + ms || samples.length === 0) {
            send(socket, ONE_BYTE);
            return;
          }
          this.#close(socket);
          const sorted = Float64Array.from(samples).sort();
          resolve({ count: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) });
        },
        onEnd: (socket, error = 'FIN') => {
          this.#close(socket);
          reject(new Error(`the echo ended: ${error}`));
        },
      };
      this.#connect(port, handlers, (socket) => send(socket, FIRST));
    });
  }

  /** Connections one after the other, each: connect, one byte there and back, FIN both ways; `parallel` at any time. */
  async opens(order: {
    readonly port: number;
    readonly parallel: number;
    readonly warmMs: number;
    readonly ms: number;
  }): Promise<Opens> {
    const begin = performance.now() + order.warmMs;
    const end = begin + order.ms;
    let counted = 0;
    let total = 0;
    const lane = async (): Promise<void> => {
      while (performance.now() < end) {
        await this.#once(order.port);
        total++;
        const now = performance.now();
        if (now >= begin && now < end) counted++;
      }
    };
    await Promise.all(Array.from({ length: order.parallel }, lane));
    return { perSec: (counted / order.ms) * 1000, total };
  }

  /** Milliseconds from connect to the first byte back, of connections one after the other. */
  async firstEchoes(order: { readonly port: number; readonly count: number }): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < order.count; i++) times.push(await this.#once(order.port));
    return times;
  }

  reset(): void {
    for (const socket of this.#open) socket.reset();
    this.#open.clear();
  }

  /** One whole connection; milliseconds until its byte was back. */
  #once(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      let took: number | undefined;
      const handlers: RawHandlers = {
        onBytes: (socket) => {
          took = performance.now() - startedAt;
          socket.end();
        },
        onEnd: (socket, error = 'FIN') => {
          this.#close(socket);
          if (took !== undefined && error === 'FIN') resolve(took);
          else
            reject(
              new Error(
                `a short connection ended ${took === undefined ? 'before' : 'after'} its echo: ${error}`,
              ),
            );
        },
      };
      this.#connect(port, handlers, (socket) => socket.write(FIRST));
    });
  }

  #connect(port: number, handlers: RawHandlers, onConnect: (socket: RawSocket) => void): void {
    connectRaw(port, handlers, (socket) => {
      this.#open.add(socket);
      socket.read(handlers);
      onConnect(socket);
    });
  }

  #close(socket: RawSocket): void {
    socket.close();
    this.#open.delete(socket);
  }
}
