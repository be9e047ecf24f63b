/**
 * Lets a socket that exists already read into memory of ours: net offers `onread` only to sockets that it makes itself,
 * not to accepted or upgraded ones. The only place that knows how Node keeps it (lib/net.js: three symbols and
 * `handle.useUserBuffer`, the same from Node 12 to 24); where that is not found, 'data' events are copied instead.
 */
import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';

export interface ReadTarget {
  /** The memory for the next read; asked for once at first, then after each `onRead`. */
  next(): Uint8Array;
  /** That many bytes are at the start of the memory that `next` gave last. False pauses the socket until `resume`. */
  onRead(count: number): boolean;
}

interface Underside {
  readonly _handle?: { readonly useUserBuffer?: (memory: Uint8Array) => void } | null;
  [key: symbol]: unknown;
}

interface Keys {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generate: symbol;
}

/** Looks at a socket that net made with `onread`: is everything where it was? */
function findKeys(): Keys | undefined {
  const callback = (): boolean => true;
  const generate = (): Uint8Array => new Uint8Array(1);
  const options: ConnectOpts & SocketConstructorOpts = { onread: { buffer: generate, callback } };
  const probe = new Socket(options);
  const values = probe as unknown as Record<symbol, unknown>;
  const symbols = Object.getOwnPropertySymbols(probe);
  const named = (name: string): symbol | undefined => symbols.find((key) => key.description === name);
  const keys = { buffer: named('kBuffer'), callback: named('kBufferCb'), generate: named('kBufferGen') };
  probe.destroy();
  if (keys.buffer === undefined || keys.callback === undefined || keys.generate === undefined)
    return undefined;
  if (values[keys.callback] !== callback || values[keys.generate] !== generate) return undefined;
  return { buffer: keys.buffer, callback: keys.callback, generate: keys.generate };
}

const keys = findKeys();

/** True when this Node reads into memory of ours; false when its 'data' events are copied. */
export const readsDirectly = keys !== undefined;

/** Copies what came as a chunk of Node's own, in pieces that fit. */
function copyInto(
  target: ReadTarget,
  memory: Uint8Array,
  chunk: Uint8Array,
): { memory: Uint8Array; more: boolean } {
  let more = true;
  for (let at = 0; at < chunk.length;) {
    const piece = chunk.subarray(at, at + memory.length);
    memory.set(piece);
    at += piece.length;
    more = target.onRead(piece.length);
    memory = target.next();
  }
  return { memory, more };
}

/**
 * Reads a paused socket into the memory of `target`, from `socket.resume()` on. Once for each socket, and for its life.
 * @param direct false: by way of 'data' events, as on a Node of which the inside is not known
 */
export function readInto(socket: Socket, target: ReadTarget, direct: boolean = readsDirectly): void {
  const underside = socket as unknown as Underside;
  const handle = underside._handle;
  let memory = target.next();
  // What was read before it was paused.
  const early = socket.readableLength > 0 ? (socket.read() as Buffer | null) : null;
  if (early !== null) memory = copyInto(target, memory, early).memory;
  if (!direct || keys === undefined || typeof handle?.useUserBuffer !== 'function') {
    socket.on('data', (chunk: Buffer) => {
      const result = copyInto(target, memory, chunk);
      memory = result.memory;
      if (!result.more) socket.pause();
    });
    return;
  }
  underside[keys.buffer] = memory;
  underside[keys.callback] = (count: number) => target.onRead(count);
  underside[keys.generate] = () => target.next();
  handle.useUserBuffer(memory);
}
