/** The target's side of the load: one port, and each connection says in its header what it wants. A worker process. */
import { Flood } from './flood.js';
import { HEADER_BYTES, Mode, type Mark } from './header.js';
import { listenRaw, shared, type RawHandlers, type RawSocket } from './raw-tcp.js';
import { serve } from './rpc.js';

/** Connections that have said what they want. */
const open = new Map<Connection, RawSocket>();
/** Bytes of bulk streams that have ended, by the client's number; taken away by `totals`. */
const ended = new Map<number, number>();

const ECHO_BYTES = Buffer.alloc(shared.length, 0x65);

class Connection implements RawHandlers {
  mode: Mode | undefined;
  id = 0;
  bytes = 0;
  readonly #header: number[] = [];
  flood: Flood | undefined;

  onBytes(socket: RawSocket, count: number): void {
    if (this.mode === Mode.Up) {
      this.bytes += count;
      return;
    }
    if (this.mode === Mode.Echo) {
      socket.write(ECHO_BYTES.subarray(0, count));
      return;
    }
    if (this.mode === Mode.Down) this.#stopFlood();
    else this.#readHeader(socket, count);
  }

  #readHeader(socket: RawSocket, count: number): void {
    let used = 0;
    while (used < count && this.#header.length < HEADER_BYTES) this.#header.push(shared[used++] ?? 0);
    if (this.#header.length < HEADER_BYTES) return;
    const header = Buffer.from(this.#header);
    this.id = header.readUInt32BE(1);
    this.mode = header.readUInt8(0) as Mode;
    open.set(this, socket);
    if (this.mode === Mode.Down) this.flood = new Flood(socket);
    else if (count > used) this.onBytes(socket, count - used);
  }

  #stopFlood(): void {
    this.flood?.finish((written) => ended.set(this.id, written));
  }

  onEnd(socket: RawSocket, error: string | undefined): void {
    if (this.mode === Mode.Up && error === undefined) ended.set(this.id, this.bytes);
    socket.close();
    open.delete(this);
  }
}

const commands = {
  /** The port it listens on. */
  listen: (): number => listenRaw(() => new Connection()),

  /** What the open upload streams have received. */
  mark: (): Mark => ({
    atMs: performance.now(),
    bytes: [...open.keys()].filter((one) => one.mode === Mode.Up).map((one) => one.bytes),
  }),

  /** Bytes of the bulk streams that ended since the last call, by number. */
  totals(): [id: number, bytes: number][] {
    const totals = [...ended];
    ended.clear();
    return totals;
  },

  /** Resets whatever is still open. */
  clear(): void {
    for (const socket of open.values()) socket.reset();
    open.clear();
    ended.clear();
  },
};
export type TargetCommands = typeof commands;

serve(commands);
