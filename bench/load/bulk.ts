/** Bulk streams of a client, all in one direction, every byte of which is counted. */
import { Flood } from './flood.js';
import { encodeHeader, Mode } from './header.js';
import { connectRaw, type RawHandlers, type RawSocket } from './raw-tcp.js';

export interface BulkOrder {
  readonly port: number;
  readonly streams: number;
  /** up: client → target. */
  readonly direction: 'up' | 'down';
}

/** Numbers of streams are never used again in a worker. */
let nextId = 1;

const STOP = Buffer.from([0]);

class BulkStream implements RawHandlers {
  readonly id = nextId++;
  readonly ended: Promise<void>;
  readonly moving: Promise<void>;
  received = 0;
  socket: RawSocket | undefined;
  flood: Flood | undefined;
  #onMoving: (() => void) | undefined;
  #onEnded: (() => void) | undefined;
  #onFailed: ((error: Error) => void) | undefined;

  constructor({ port, direction }: BulkOrder) {
    const failed = new Promise<never>((_, reject) => (this.#onFailed = reject));
    this.ended = Promise.race([new Promise<void>((resolve) => (this.#onEnded = resolve)), failed]);
    this.moving = Promise.race([new Promise<void>((resolve) => (this.#onMoving = resolve)), failed]);
    for (const promise of [this.ended, this.moving]) promise.catch(() => undefined);
    connectRaw(port, this, (socket) => {
      this.socket = socket;
      socket.read(this);
      socket.write(encodeHeader(direction === 'up' ? Mode.Up : Mode.Down, this.id));
      if (direction === 'down') return;
      this.flood = new Flood(socket);
      this.#onMoving?.();
    });
  }

  onBytes(_: RawSocket, count: number): void {
    if (this.received === 0) this.#onMoving?.();
    this.received += count;
  }

  onEnd(socket: RawSocket, error: string | undefined): void {
    if (error === undefined) this.#onEnded?.();
    this.#onFailed?.(new Error(`stream ${this.id} ended: ${error ?? 'FIN'}`));
    socket.close();
  }

  async finish(): Promise<[id: number, bytes: number]> {
    const { flood, socket } = this;
    if (flood === undefined) {
      socket?.write(STOP);
      await this.ended;
      return [this.id, this.received];
    }
    const written = await new Promise<number>((resolve) => flood.finish(resolve));
    await this.ended;
    return [this.id, written];
  }
}

export class BulkLoad {
  readonly started: Promise<unknown>;
  readonly #streams: readonly BulkStream[];

  constructor(order: BulkOrder) {
    this.#streams = Array.from({ length: order.streams }, () => new BulkStream(order));
    this.started = Promise.all(this.#streams.map((stream) => stream.moving));
  }

  received(): number[] {
    return this.#streams.map((stream) => stream.received);
  }

  finish(): Promise<[id: number, bytes: number][]> {
    return Promise.all(this.#streams.map((stream) => stream.finish()));
  }

  reset(): void {
    for (const { socket } of this.#streams) socket?.reset();
  }
}
