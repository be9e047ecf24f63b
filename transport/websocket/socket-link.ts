/** The link over an upgraded socket, framed as RFC 6455 says. */
import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { CloseCode, MAX_MESSAGE_BYTES, type Transmit } from '../../protocol/index.js';
import type { Link, LinkEnd, LinkHandlers } from '../link.js';
import { LinkReader } from '../link-reader.js';
import { applyMask, headerBytes, MAX_CONTROL_BYTES, Opcode, writeHeader, WsClose } from './frame.js';
import { FrameReader, WsError } from './frame-reader.js';

/** One message is being encrypted and sent; more would be a queue that the scheduler cannot order, and brings no throughput. */
const MOST_WRITES = 1;
/** How long the peer may take to answer our close frame. */
const CLOSE_TIMEOUT_MS = 2000;
const KEEP_ALIVE_MS = 60_000;
const NO_MASK = new Uint8Array(4);

/** Client: frames are masked, with zeros inside TLS, where nobody on the way can read them (ADR 0013). */
export type Masking = 'none' | 'zero' | 'random';

export class SocketLink implements Link {
  readonly remoteAddress: string;
  readonly ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;
  readonly #socket: Socket;
  readonly #masking: Masking;
  readonly #frames: FrameReader;
  #reader: LinkReader | undefined;
  #handlers: LinkHandlers | undefined;
  #started = 0;
  #flushed = 0;
  #full = false;
  /** Our close frame is sent; nothing is delivered any more. */
  #closing = false;
  #closeTimer: NodeJS.Timeout | undefined;
  /** The peer broke a rule: nothing it says is looked at any more. */
  #broken = false;
  /** What the peer's close frame said. */
  #peerClose: LinkEnd | undefined;
  #end: LinkEnd | undefined;
  #pong: Uint8Array | undefined;
  readonly #onFlushed = (): void => {
    this.#flushed++;
    this.#sendPong();
    if (!this.#full || !this.writable) return;
    this.#full = false;
    this.#handlers?.onWritable();
  };

  constructor(socket: Socket, head: Uint8Array, masking: Masking) {
    this.#socket = socket;
    this.#masking = masking;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.remoteAddress = socket.remoteAddress ?? '';
    this.#frames = new FrameReader(
      { masked: masking === 'none', maxMessageBytes: MAX_MESSAGE_BYTES },
      {
        onBytes: (bytes) => {
          if (!this.#closing) this.#handlers?.onBytes(bytes);
        },
        onMessageEnd: () => {
          if (!this.#closing) this.#handlers?.onMessageEnd();
        },
        onText: () => this.close(CloseCode.Protocol, 'text message'),
        onPing: (payload) => this.#onPing(payload),
        onClose: (code, reason) => this.#onPeerClose({ code, reason }),
      },
    );
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.pause();
    // In front of what the socket has read since: one order for all that came before the start.
    if (head.length > 0) socket.unshift(head);
    socket.on('error', () => {
      // 'close' follows.
    });
    socket.on('end', () => {
      // An end without a close frame: nothing that we could still say would be read.
      if (this.#peerClose === undefined) socket.destroy();
    });
    socket.on('close', () => this.#onSocketClose());
  }

  get writable(): boolean {
    if (this.#end !== undefined || this.#closing || this.#socket.destroyed) return false;
    return this.#started - this.#flushed < MOST_WRITES;
  }
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }
  get startedWrites(): number {
    return this.#started;
  }
  get flushedWrites(): number {
    return this.#flushed;
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    if (this.#end !== undefined) {
      handlers.onEnd(this.#end);
      return;
    }
    this.#reader = new LinkReader(this.#socket, (bytes) => this.#onBytes(bytes));
    this.#socket.resume();
  }

  send(message: Transmit): void {
    if (this.#closing || this.#end !== undefined) return;
    this.#sendFrame(Opcode.Binary, message);
    if (!this.writable) this.#full = true;
  }

  close(code: number, reason: string): void {
    if (this.#end !== undefined || this.#closing) return;
    this.#closing = true;
    // Cut between two characters: half of one is not UTF-8.
    const most = MAX_CONTROL_BYTES - 2;
    const cut = new TextDecoder().decode(Buffer.from(reason).subarray(0, most), { stream: true });
    this.#sendClose(code, cut);
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    // The peer's answer has to be read.
    if (this.#reader !== undefined) this.#socket.resume();
  }

  terminate(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  // ---- out ------------------------------------------------------------------------------------------------

  /** Writes a frame in one piece where the message leaves room for the header before it. */
  #sendFrame(opcode: number, { bytes, room, tail }: Transmit): void {
    const length = bytes.length + (tail?.length ?? 0);
    const key = this.#key();
    const before = headerBytes(length, key !== undefined);
    if (this.#masking === 'random' && key !== undefined) {
      const frame = Buffer.allocUnsafe(before + length);
      writeHeader(frame, 0, opcode, length, key);
      frame.set(bytes, before);
      if (tail !== undefined) frame.set(tail, before + bytes.length);
      applyMask(frame.subarray(before), key, 0);
      this.#write(frame);
      return;
    }
    if (room >= before) {
      const frame = new Uint8Array(bytes.buffer, bytes.byteOffset - before, before + bytes.length);
      writeHeader(frame, 0, opcode, length, key);
      this.#write(frame);
    } else {
      const frame = Buffer.allocUnsafe(before + bytes.length);
      writeHeader(frame, 0, opcode, length, key);
      frame.set(bytes, before);
      this.#write(frame);
    }
    if (tail !== undefined) this.#write(tail);
  }

  #key(): Uint8Array | undefined {
    if (this.#masking === 'none') return undefined;
    return this.#masking === 'zero' ? NO_MASK : randomFillSync(new Uint8Array(4));
  }

  #write(bytes: Uint8Array): void {
    this.#started++;
    this.#socket.write(bytes, this.#onFlushed);
  }

  #sendControl(opcode: number, payload: Uint8Array): void {
    this.#sendFrame(opcode, { bytes: payload, room: 0, tail: undefined });
  }

  #sendClose(code: number, reason: string): void {
    const text = Buffer.from(reason);
    const payload = Buffer.allocUnsafe(code === WsClose.NoStatus ? 0 : 2 + text.length);
    if (payload.length > 0) {
      payload.writeUInt16BE(code);
      payload.set(text, 2);
    }
    this.#sendControl(Opcode.Close, payload);
  }

  // ---- in -------------------------------------------------------------------------------------------------

  #onBytes(bytes: Uint8Array): void {
    if (this.#broken) return;
    try {
      this.#frames.push(bytes);
    } catch (error) {
      if (!(error instanceof WsError)) throw error;
      this.#broken = true;
      this.#reader?.stop();
      if (!this.#closing) this.close(error.code, error.message);
      this.#socket.end();
    }
  }

  /** Answered with the newest one only (RFC 6455 §5.5.3), once there is room: pings cannot pile answers up. */
  #onPing(payload: Uint8Array): void {
    this.#pong = payload;
    this.#sendPong();
  }

  #sendPong(): void {
    const pong = this.#pong;
    if (pong === undefined || !this.writable) return;
    this.#pong = undefined;
    this.#sendControl(Opcode.Pong, pong);
  }

  #onPeerClose(end: LinkEnd): void {
    this.#peerClose = end;
    if (!this.#closing) {
      this.#closing = true;
      this.#sendClose(end.code, '');
      this.#closeTimer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    }
    this.#socket.end();
  }

  #onSocketClose(): void {
    if (this.#end !== undefined) return;
    this.#reader?.finish();
    clearTimeout(this.#closeTimer);
    this.#end = this.#peerClose ?? { code: WsClose.Abnormal, reason: '' };
    this.#resolveEnded();
    this.#handlers?.onEnd(this.#end);
  }
}
