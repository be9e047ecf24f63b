/**
 * A long way in user space: what comes in on one side goes out on the other exactly so much later, in both directions,
 * at any rate. A worker process of its own, so that it never waits for the load. Unlike a real path it terminates TCP:
 * the kernels see loopback, so only the peers' own windows and round trips count.
 */
import { connectRaw, listenRaw, shared, type RawHandlers, type RawSocket } from './load/raw-tcp.js';
import { serve } from './load/rpc.js';

/** Held per direction of a connection at most; beyond it the sender has to wait. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** Small reads are kept in buffers of their size, large ones in pooled buffers that were paid for once. */
const POOLED_FROM_BYTES = 64 * 1024;
const POOLED_BYTES = 256 * 1024;
const pool: Buffer[] = [];

/** A piece of a stream; without bytes it is the FIN. */
interface Part {
  readonly bytes: Buffer | undefined;
  /** Goes back to the pool when the bytes are sent. */
  readonly pooled: Buffer | undefined;
}
type Held = Part & { readonly dueAt: number };

interface DirectionHooks {
  /** The FIN is out. */
  readonly onEnded: () => void;
  readonly onBroken: () => void;
}

/** A copy of what was just read, from `start`, at most POOLED_BYTES long. */
function copyShared(start: number, end: number): Part & { bytes: Buffer } {
  const count = Math.min(end - start, POOLED_BYTES);
  const pooled = count < POOLED_FROM_BYTES ? undefined : (pool.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES));
  const bytes = pooled?.subarray(0, count) ?? Buffer.allocUnsafe(count);
  shared.copy(bytes, 0, start, start + count);
  return { bytes, pooled };
}

/** One direction of one connection. */
class Direction implements RawHandlers {
  readonly #delayMs: number;
  readonly #hooks: DirectionHooks;
  /** Where it goes; absent while that is being dialled. */
  #out: RawSocket | undefined;
  #held: Held[] = [];
  #first = 0;
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #paused: RawSocket | undefined;
  readonly #flush = (): void => this.#onDue();

  constructor(delayMs: number, hooks: DirectionHooks) {
    this.#delayMs = delayMs;
    this.#hooks = hooks;
  }

  /** What was held so far goes there when it is due, and all that comes. */
  into(out: RawSocket): void {
    this.#out = out;
    if (this.#held.length > 0) this.#arm();
  }

  onBytes(socket: RawSocket, count: number): void {
    this.#heldBytes += count;
    for (let start = 0; start < count;) {
      const part = copyShared(start, count);
      start += part.bytes.length;
      this.#hold(part);
    }
    if (this.#heldBytes < MAX_HELD_BYTES) return;
    socket.pause();
    this.#paused = socket;
  }

  onEnd(_: RawSocket, error: string | undefined): void {
    if (error === undefined) this.#hold({ bytes: undefined, pooled: undefined });
    else this.#hooks.onBroken();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#out = undefined;
    this.#held = [];
  }

  #hold(part: Part): void {
    this.#held.push({ ...part, dueAt: performance.now() + this.#delayMs });
    this.#arm();
  }

  #arm(): void {
    const dueAt = this.#held[this.#first]?.dueAt;
    if (this.#out === undefined || dueAt === undefined) return;
    this.#timer ??= setTimeout(this.#flush, Math.max(1, dueAt - performance.now()));
  }

  #onDue(): void {
    this.#timer = undefined;
    // Timers are a millisecond coarse: what is due within half of one goes now.
    const dueBy = performance.now() + 0.5;
    for (let held = this.#held[this.#first]; held && held.dueAt <= dueBy; held = this.#held[this.#first]) {
      this.#first++;
      this.#send(held);
    }
    if (this.#first * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#first);
      this.#first = 0;
    }
    this.#arm();
  }

  #send({ bytes, pooled }: Part): void {
    if (bytes === undefined) {
      this.#out?.end(this.#hooks.onEnded);
      return;
    }
    const sent = (): void => {
      if (pooled !== undefined) pool.push(pooled);
      this.#heldBytes -= bytes.length;
      if (this.#paused === undefined || this.#heldBytes >= MAX_HELD_BYTES / 2) return;
      this.#paused.resume();
      this.#paused = undefined;
    };
    if (this.#out?.write(bytes, sent)) sent();
  }
}

/** Both directions of one connection; it lives until both have ended, or one broke. */
function forward(source: RawSocket, port: number, delayMs: number): RawHandlers {
  const sockets = [source];
  let open = 2;
  const hooks: DirectionHooks = {
    onEnded: () => {
      if (--open === 0) for (const socket of sockets) socket.close();
    },
    onBroken: () => {
      for (const direction of [there, back]) direction.stop();
      for (const socket of sockets) socket.reset();
    },
  };
  const there = new Direction(delayMs, hooks);
  const back = new Direction(delayMs, hooks);
  back.into(source);
  connectRaw(port, back, (out) => {
    sockets.push(out);
    there.into(out);
    out.read(back);
  });
  return there;
}

const commands = {
  /** A port from which everything goes to `port`, and back, that much later. */
  forward: ({ port, oneWayMs }: { readonly port: number; readonly oneWayMs: number }): number =>
    listenRaw((source) => forward(source, port, oneWayMs)),
};
export type DelayCommands = typeof commands;

serve(commands);
