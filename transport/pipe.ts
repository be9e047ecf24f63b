/**
 * The one pipe (socket ⇄ stream): FIN ⇄ FIN, reset ⇄ RST, credit only for flushed bytes. It may begin with a socket
 * and no stream (hub: waiting for an agent) or with a stream and no socket (agent: dialling), and a hub's pipe may
 * change streams as long as the first one was never opened.
 */
import type { Socket } from 'node:net';
import type { RstReason } from '../protocol/index.js';
import { blocks } from './block-pool.js';
import { readBlocks } from './block-reader.js';
import { GATHER_FROM_PIECES, GATHERED_BYTES, Gathering } from './gather.js';
import { resetSocket } from './reset-socket.js';
import { confirmEnd, keepOpen, probeReset } from './socket-end.js';
import type { StreamHandle, StreamOwner, StreamReset } from './pump.js';

/** With one direction ended, a peer that vanishes without a word goes unnoticed as long as nothing is written. */
const HALF_CLOSED_MS = 900_000;
/** Idle this long, a half-closed socket is asked whether it was reset. */
const PROBE_AFTER_MS = 5000;

export interface PipeOutcome {
  /** undefined = both directions ended cleanly. */
  readonly reason: RstReason | undefined;
  readonly bytesFromSocket: number;
  readonly bytesToSocket: number;
  /** Milliseconds for which the socket's peer, or the tunnel, was waited for. */
  readonly waitedForSocketMs: number;
  readonly waitedForTunnelMs: number;
}

export interface PipeHooks {
  /** Bytes that went by; called for each chunk. */
  onBytes(direction: 'fromSocket' | 'toSocket', count: number): void;
  /** OPENED arrived. */
  onOpened?(): void;
  /** The stream was refused before it was open. True keeps the socket: the caller binds another stream. */
  onRefused?(event: StreamReset): boolean;
  /** The end, once. */
  onEnd(outcome: PipeOutcome): void;
  /** Closes a socket whose two directions have ended. */
  close(socket: Socket): void;
  now(): number;
}

export class Pipe implements StreamOwner {
  readonly #hooks: PipeHooks;
  /** What a reset by the socket's peer is called. */
  readonly #resetReason: 'reset_by_client' | 'reset_by_target';
  #socket: Socket | undefined;
  #stream: StreamHandle | undefined;
  /** Bytes for the socket while there is none; bounded by the stream's window. */
  #forSocket: Uint8Array[] = [];
  #finForSocket = false;
  /** Bytes for the stream while there is none. */
  #forStream: readonly Uint8Array[] = [];
  /** Writes that the socket has not confirmed, oldest first; what is in a block is held until then. */
  readonly #writes: { readonly count: number; readonly held: Uint8Array | undefined }[] = [];
  /** Small pieces behind many writes; they go to the socket when it has confirmed most of those. */
  #gathering: Gathering | undefined;
  readonly #onWritten = (error?: Error | null): void => this.#afterWrite(error);
  #socketEnded = false;
  #ended = false;
  #bytesFromSocket = 0;
  #bytesToSocket = 0;
  #unflushed = 0;
  #lastActivity: number;
  #pausedAt: number | undefined;
  #blockedAt: number | undefined;
  #waitedForTunnelMs = 0;
  #waitedForSocketMs = 0;

  constructor(side: 'client' | 'target', hooks: PipeHooks) {
    this.#resetReason = side === 'client' ? 'reset_by_client' : 'reset_by_target';
    this.#hooks = hooks;
    this.#lastActivity = hooks.now();
  }

  /** Ends a pipe on which nothing has moved for `idleTimeoutMs` (0 = never); to be called now and then. */
  checkIdle(now: number, idleTimeoutMs: number): void {
    const halfClosed = this.#socketEnded || this.#finForSocket;
    const most = halfClosed ? Math.min(idleTimeoutMs || HALF_CLOSED_MS, HALF_CLOSED_MS) : idleTimeoutMs;
    const idleMs = now - this.#lastActivity;
    if (most > 0 && idleMs >= most) this.#fail('idle_timeout');
    // Nothing else would tell of a peer that died after its FIN.
    else if (this.#socketEnded && idleMs >= PROBE_AFTER_MS && this.#socket) probeReset(this.#socket);
  }

  /** Takes the socket, which is paused and allows half-open; it starts to flow once there is a stream too. */
  attach(socket: Socket): void {
    if (this.#ended) {
      resetSocket(socket);
      return;
    }
    this.#socket = socket;
    keepOpen(socket);
    readBlocks(socket, (chunk, room) => this.#onSocketData(chunk, room));
    socket.on('end', () => confirmEnd(socket, () => this.#onSocketEnd()));
    socket.on('drain', () => this.#onSocketDrain());
    socket.on('error', () => this.#fail(this.#resetReason));
    socket.on('close', () => this.#fail(this.#resetReason));
    const early = this.#forSocket;
    this.#forSocket = [];
    for (const bytes of early) this.#writeToSocket(socket, bytes);
    this.#endWhenFlushed(socket);
    this.#resume();
  }

  /** Takes the stream; `first` goes to it before anything that the socket says. */
  bind(stream: StreamHandle, first: readonly Uint8Array[] = []): void {
    this.#stream = stream;
    const early = [...first, ...this.#forStream];
    this.#forStream = [];
    for (const bytes of early) stream.write(bytes);
    if (this.#socketEnded) stream.finish();
    this.#resume();
  }

  /** Ends both sides for `reason`; does nothing after the end. */
  abort(reason: RstReason): void {
    this.#fail(reason);
  }

  // ---- socket → stream ----------------------------------------------------------------------------------

  /** False: the socket is to pause. */
  #onSocketData(chunk: Uint8Array, room: number): boolean {
    if (this.#ended) return false;
    this.#lastActivity = this.#hooks.now();
    this.#bytesFromSocket += chunk.length;
    this.#hooks.onBytes('fromSocket', chunk.length);
    const stream = this.#stream;
    if (stream === undefined) {
      this.#forStream = [...this.#forStream, chunk];
      return false;
    }
    stream.write(chunk, room);
    if (stream.budget() > 0) return true;
    this.#pausedAt ??= this.#hooks.now();
    return false;
  }

  #resume(): void {
    if (this.#socket === undefined || this.#stream === undefined || this.#stream.budget() <= 0) return;
    if (this.#pausedAt !== undefined) {
      this.#waitedForTunnelMs += this.#hooks.now() - this.#pausedAt;
      this.#pausedAt = undefined;
    }
    this.#socket.resume();
  }

  #onSocketEnd(): void {
    this.#socketEnded = true;
    this.#stream?.finish();
  }

  onWritable(): void {
    this.#resume();
  }

  // ---- stream → socket ----------------------------------------------------------------------------------

  onOpened(): void {
    this.#hooks.onOpened?.();
  }

  onData(bytes: Uint8Array): void {
    this.#lastActivity = this.#hooks.now();
    if (this.#socket !== undefined) this.#writeToSocket(this.#socket, bytes);
    else {
      if (this.#forSocket.length >= GATHER_FROM_PIECES) this.#forSocket = [Buffer.concat(this.#forSocket)];
      this.#forSocket.push(Uint8Array.from(bytes));
    }
  }

  #writeToSocket(socket: Socket, bytes: Uint8Array): void {
    const count = bytes.length;
    this.#bytesToSocket += count;
    this.#unflushed += count;
    this.#hooks.onBytes('toSocket', count);
    if (count < GATHERED_BYTES && this.#writes.length >= GATHER_FROM_PIECES) {
      if (this.#gathering?.add(bytes) === true) return;
      this.#writeGathered(socket);
      this.#gathering = new Gathering();
      this.#gathering.add(bytes);
      return;
    }
    this.#writeGathered(socket);
    // Behind others it waits, and the bytes are the link's for now only.
    const waits = socket.writableLength > 0;
    this.#write(socket, waits ? blocks.copy(bytes) : bytes, waits);
  }

  #writeGathered(socket: Socket): void {
    const gathered = this.#gathering?.bytes;
    if (gathered === undefined) return;
    this.#gathering = undefined;
    this.#write(socket, gathered, true);
  }

  /** @param waits it is behind others, and memory of its own */
  #write(socket: Socket, own: Uint8Array, waits: boolean): void {
    const room = socket.write(own, this.#onWritten);
    // Usually the kernel has taken all of it by now.
    const left = socket.writableLength > 0;
    if (left && !waits) blocks.hold(own);
    this.#writes.push({ count: own.length, held: left ? own : undefined });
    if (!room) this.#blockedAt ??= this.#hooks.now();
  }

  #afterWrite(error: Error | null | undefined): void {
    const write = this.#writes.shift();
    if (write === undefined) return;
    if (write.held !== undefined) blocks.letGo(write.held);
    if (error) return;
    this.#lastActivity = this.#hooks.now();
    this.#unflushed -= write.count;
    this.#stream?.consumed(write.count);
    if (this.#writes.length < GATHER_FROM_PIECES && this.#socket !== undefined)
      this.#writeGathered(this.#socket);
    if (this.#finForSocket && this.#socket !== undefined) this.#endWhenFlushed(this.#socket);
  }

  #onSocketDrain(): void {
    if (this.#blockedAt === undefined) return;
    this.#waitedForSocketMs += this.#hooks.now() - this.#blockedAt;
    this.#blockedAt = undefined;
  }

  onFinished(): void {
    this.#finForSocket = true;
    if (this.#socket !== undefined) this.#endWhenFlushed(this.#socket);
  }

  /** FIN goes out behind everything written, and not before it is flushed: until then a reset must stay possible. */
  #endWhenFlushed(socket: Socket): void {
    if (!this.#finForSocket || this.#unflushed > 0 || socket.writableEnded || this.#ended) return;
    socket.end(() => {
      if (!socket.errored) this.#stream?.consumed(1);
    });
  }

  // ---- the end ------------------------------------------------------------------------------------------

  onClosed(): void {
    this.#stream = undefined;
    this.#finish(undefined);
    // Both FINs are through; what was written is in the kernel.
    if (this.#socket !== undefined) this.#hooks.close(this.#socket);
  }

  onReset(event: StreamReset): void {
    this.#stream = undefined;
    if (event.beforeOpened && !this.#ended && this.#hooks.onRefused?.(event) === true) {
      this.#socket?.pause();
      // Copies: the other tunnel's link may not be done with the arrays, and the next stream lets go of their blocks.
      this.#forStream = [...event.unacknowledged.map((chunk) => Uint8Array.from(chunk)), ...this.#forStream];
      return;
    }
    this.#fail(event.reason);
  }

  #fail(reason: RstReason): void {
    if (this.#ended) return;
    this.#stream?.reset(reason);
    this.#stream = undefined;
    this.#finish(reason);
    if (this.#socket !== undefined) resetSocket(this.#socket);
    this.#forSocket = [];
    this.#forStream = [];
    this.#gathering = undefined;
  }

  #finish(reason: RstReason | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const now = this.#hooks.now();
    if (this.#pausedAt !== undefined) this.#waitedForTunnelMs += now - this.#pausedAt;
    if (this.#blockedAt !== undefined) this.#waitedForSocketMs += now - this.#blockedAt;
    this.#hooks.onEnd({
      reason,
      bytesFromSocket: this.#bytesFromSocket,
      bytesToSocket: this.#bytesToSocket,
      waitedForSocketMs: this.#waitedForSocketMs,
      waitedForTunnelMs: this.#waitedForTunnelMs,
    });
  }
}
