/**
 * Reads RFC 6455 frames, sans-IO: payloads of binary messages are handed on in the pieces in which they arrive, nothing is
 * reassembled, and nothing is allocated for a length that a peer only claims.
 */
import { applyMask, isCloseCode, MAX_CONTROL_BYTES, Opcode, WsClose } from './frame.js';

/** The peer broke a rule of RFC 6455; `code` is what it is told. */
export class WsError extends Error {
  override readonly name = 'WsError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface FrameSink {
  /** Bytes of a binary message, unmasked; a view of what was pushed. */
  onBytes(bytes: Uint8Array): void;
  onMessageEnd(): void;
  /** A text message begins: no part of it is handed on. */
  onText(): void;
  onPing(payload: Uint8Array): void;
  /** A close frame: nothing behind it is read. 1005 = it had no code. */
  onClose(code: number, reason: string): void;
}

export interface FrameReaderOptions {
  /** Server: frames must be masked. Client: they must not (§5.1). */
  readonly masked: boolean;
  readonly maxMessageBytes: number;
}

/** Fragments of a message; what we and any sane peer sends has one. */
const MOST_FRAGMENTS = 1024;
const MAX_PAYLOAD_HIGH = 0x1f_ffff;

export class FrameReader {
  readonly #options: FrameReaderOptions;
  readonly #sink: FrameSink;
  readonly #header = new Uint8Array(14);
  #headerBytes = 0;
  /** Bytes that the header has, as far as is known. */
  #headerNeeds = 2;
  /** The frame under way, once its header is complete. */
  #inFrame = false;
  #opcode = 0;
  #fin = false;
  #length = 0;
  #taken = 0;
  /** All zero: the payload is as it is. */
  readonly #key = new Uint8Array(4);
  #keyed = false;
  #control: Uint8Array = new Uint8Array(0);
  /** The message under way. */
  #inMessage = false;
  #binary = false;
  #messageBytes = 0;
  #fragments = 0;
  #closed = false;

  constructor(options: FrameReaderOptions, sink: FrameSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /** Takes bytes as they come; unmasks in place. Throws WsError; what came before the fault was handed on. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#closed) {
      if (!this.#inFrame) {
        at += this.#takeHeader(bytes, at);
        continue;
      }
      const piece = bytes.subarray(at, at + this.#length - this.#taken);
      at += piece.length;
      if (this.#keyed) applyMask(piece, this.#key, this.#taken);
      if (this.#opcode >= Opcode.Close) this.#control.set(piece, this.#taken);
      this.#taken += piece.length;
      const ends = this.#taken === this.#length;
      if (this.#opcode < Opcode.Close && this.#binary) this.#sink.onBytes(piece);
      if (ends) this.#endFrame();
    }
  }

  #takeHeader(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && this.#headerBytes < this.#headerNeeds) {
      this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
      if (this.#headerBytes === 2) this.#headerNeeds = this.#checkStart();
    }
    if (this.#headerBytes === this.#headerNeeds && this.#headerBytes >= 2) this.#beginFrame();
    return at - from;
  }

  /** Looks at the first two bytes; returns how long the header is. */
  #checkStart(): number {
    const [first = 0, second = 0] = this.#header;
    if ((first & 0x70) !== 0) throw new WsError(WsClose.Protocol, 'a reserved bit is set');
    this.#fin = (first & 0x80) !== 0;
    this.#opcode = first & 0x0f;
    const masked = (second & 0x80) !== 0;
    if (masked !== this.#options.masked) {
      throw new WsError(
        WsClose.Protocol,
        masked ? 'a frame of a server is masked' : 'a frame of a client is not masked',
      );
    }
    this.#checkOpcode(second & 0x7f);
    const short = second & 0x7f;
    return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (masked ? 4 : 0);
  }

  #checkOpcode(shortLength: number): void {
    switch (this.#opcode) {
      case Opcode.Continuation:
        if (!this.#inMessage) throw new WsError(WsClose.Protocol, 'a continuation of nothing');
        return;
      case Opcode.Text:
      case Opcode.Binary:
        if (this.#inMessage) throw new WsError(WsClose.Protocol, 'a message begins inside another');
        return;
      case Opcode.Close:
      case Opcode.Ping:
      case Opcode.Pong:
        if (!this.#fin) throw new WsError(WsClose.Protocol, 'a control frame is fragmented');
        if (shortLength > MAX_CONTROL_BYTES)
          throw new WsError(WsClose.Protocol, 'a control frame is too long');
        return;
      default:
        throw new WsError(WsClose.Protocol, `opcode ${this.#opcode} is unknown`);
    }
  }

  #beginFrame(): void {
    this.#length = this.#readLength();
    if (this.#options.masked) {
      this.#key.set(this.#header.subarray(this.#headerBytes - 4, this.#headerBytes));
      this.#keyed = this.#key.some((byte) => byte !== 0);
    }
    this.#headerBytes = 0;
    this.#headerNeeds = 2;
    this.#taken = 0;
    if (this.#opcode >= Opcode.Close) this.#control = new Uint8Array(this.#length);
    else this.#countMessage();
    this.#inFrame = true;
    if (this.#length === 0) this.#endFrame();
  }

  #readLength(): number {
    const short = (this.#header[1] ?? 0) & 0x7f;
    if (short < 126) return short;
    const view = new DataView(this.#header.buffer);
    const length = short === 126 ? view.getUint16(2) : view.getUint32(2) * 2 ** 32 + view.getUint32(6);
    if (short === 127 && view.getUint32(2) > MAX_PAYLOAD_HIGH) {
      throw new WsError(WsClose.TooBig, 'a frame is longer than 2^53 bytes');
    }
    if (length < (short === 126 ? 126 : 65_536)) {
      throw new WsError(WsClose.Protocol, 'a length is not in its shortest form');
    }
    return length;
  }

  #countMessage(): void {
    if (this.#opcode !== Opcode.Continuation) {
      this.#messageBytes = 0;
      this.#fragments = 0;
      this.#inMessage = true;
      this.#binary = this.#opcode === Opcode.Binary;
      if (!this.#binary) this.#sink.onText();
    }
    this.#messageBytes += this.#length;
    if (this.#messageBytes > this.#options.maxMessageBytes) {
      throw new WsError(WsClose.TooBig, `a message is longer than ${this.#options.maxMessageBytes} bytes`);
    }
    if (++this.#fragments > MOST_FRAGMENTS) {
      throw new WsError(WsClose.Policy, `a message has more than ${MOST_FRAGMENTS} fragments`);
    }
  }

  #endFrame(): void {
    this.#inFrame = false;
    if (this.#opcode === Opcode.Ping) this.#sink.onPing(this.#control);
    else if (this.#opcode === Opcode.Close) this.#onClose(this.#control);
    else if (this.#opcode < Opcode.Close && this.#fin) {
      this.#inMessage = false;
      if (this.#binary) this.#sink.onMessageEnd();
    }
  }

  #onClose(payload: Uint8Array): void {
    this.#closed = true;
    if (payload.length === 0) {
      this.#sink.onClose(WsClose.NoStatus, '');
      return;
    }
    const code = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
    if (payload.length === 1 || !isCloseCode(code)) {
      throw new WsError(WsClose.Protocol, 'a close frame has no valid code');
    }
    let reason: string;
    try {
      reason = new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray(2));
    } catch {
      throw new WsError(WsClose.InvalidData, 'the reason in a close frame is not UTF-8');
    }
    this.#sink.onClose(code, reason);
  }
}
