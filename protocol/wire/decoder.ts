/**
 * Bytes to frames, as they come: any split of the input gives the same frames, except that a DATA payload is
 * handed on in the pieces in which it arrived. Nothing is allocated before the header has been checked.
 */
import { readU8, readU24, readU32, readU64 } from './bytes.js';
import {
  FrameType,
  HEADER_BYTES,
  MAX_ADDRESS_BYTES,
  MAX_BLOB_BYTES,
  MAX_CONNECTOR_BYTES,
  MAX_DATA_BYTES,
  MAX_HELLO_BYTES,
  MAX_OFFSET,
} from './constants.js';
import { decodeBody, protocolFault, type BodyType, type Header } from './decode-body.js';
import type { Frame } from './frame.js';

/**
 * Takes each frame. The payload of DATA is a view of the bytes that were pushed: copy it to keep it.
 * Returning false stops the decoder behind this frame.
 */
export type FrameSink = (frame: Frame) => boolean;

/** Where a frame belongs: to the session (cid 0), to a stream (any other cid), or to either. */
type Scope = 'session' | 'stream' | 'either';

interface Shape {
  readonly least: number;
  readonly most: number;
  readonly scope: Scope;
  readonly flags: number;
}

function shape(least: number, most: number, scope: Scope, flags = 0): Shape {
  return { least, most, scope, flags };
}

/** What a header may say (wire-protocol.md §3): length of the body, cid and known flags by type. */
const SHAPES: Record<FrameType, Shape> = {
  [FrameType.Hello]: shape(2, MAX_HELLO_BYTES, 'session'),
  [FrameType.HelloAck]: shape(2, MAX_HELLO_BYTES, 'session'),
  [FrameType.Open]: shape(11, 10 + MAX_CONNECTOR_BYTES + MAX_ADDRESS_BYTES, 'stream'),
  [FrameType.Opened]: shape(8, 8, 'stream'),
  [FrameType.Data]: shape(9, 8 + MAX_DATA_BYTES, 'stream'),
  [FrameType.Fin]: shape(8, 8, 'stream'),
  [FrameType.Credit]: shape(16, 16, 'stream'),
  [FrameType.Rst]: shape(1, 1, 'stream'),
  [FrameType.Ping]: shape(8, 8, 'session'),
  [FrameType.Pong]: shape(8, 8, 'session'),
  [FrameType.Goaway]: shape(6, 6, 'session'),
  [FrameType.Reauth]: shape(1, MAX_BLOB_BYTES, 'session'),
  [FrameType.Diag]: shape(1, MAX_BLOB_BYTES, 'session'),
  [FrameType.Sync]: shape(25, 25, 'either', 0x03),
};

type DataHeader = Header<typeof FrameType.Data>;
type CheckedHeader = DataHeader | Header<BodyType>;

/** Bytes that have to be there before a frame can go on: the header, and for DATA its seq too. */
const PREFIX_BYTES = HEADER_BYTES + 8;

function checkHeader(header: Header, maxPayload: number): CheckedHeader {
  const { type, flags, cid, length } = header;
  const rules = (SHAPES as Record<number, Shape | undefined>)[type];
  if (rules === undefined) protocolFault(`frame type ${type} is unknown`);
  const most = type === FrameType.Data ? 8 + maxPayload : rules.most;
  if (length < rules.least || length > most) protocolFault(`frame type ${type} cannot have ${length} bytes`);
  if ((flags & ~rules.flags) !== 0) protocolFault(`frame type ${type} has unknown flags`);
  if (rules.scope !== 'either' && (cid === 0) !== (rules.scope === 'session')) {
    protocolFault(`frame type ${type} cannot have cid ${cid}`);
  }
  return header;
}

export class Decoder {
  readonly #maxPayload: number;
  /** Header bytes (and the seq of DATA) that came in pieces. */
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixBytes = 0;
  #header: CheckedHeader | undefined;
  /** Body of the frame under way, when it did not arrive in one piece; never for DATA. */
  #body: Uint8Array | undefined;
  #bodyBytes = 0;
  /** The DATA under way: its cid, the offset of its next byte, and how many have not arrived. */
  #cid = 0;
  #seq = 0;
  #payloadLeft = 0;

  /** @param maxPayload largest DATA payload to accept, in bytes. */
  constructor(maxPayload: number = MAX_DATA_BYTES) {
    this.#maxPayload = maxPayload;
  }

  /** True between frames: where a message may end (§2.2). */
  get atBoundary(): boolean {
    return this.#prefixBytes === 0 && this.#header === undefined;
  }

  /**
   * Takes bytes as they come and gives each frame to `sink`. Returns how many bytes were taken: all of them,
   * unless the sink stopped. Throws SessionError 4400; the frames before the fault were given.
   */
  push(bytes: Uint8Array, sink: FrameSink): number {
    let at = 0;
    let more = true;
    while (more && at < bytes.length) {
      if (this.#payloadLeft > 0) {
        const piece = bytes.subarray(at, at + this.#payloadLeft);
        at += piece.length;
        more = this.#givePayload(piece, sink);
      } else if (this.#header === undefined) {
        at += this.#takeHeader(bytes, at);
      } else if (this.#header.type === FrameType.Data) {
        at += this.#takeSeq(this.#header, bytes, at);
      } else {
        const body = this.#takeBody(this.#header, bytes, at);
        at = body.next;
        if (body.whole !== undefined) more = this.#giveFrame(this.#header, body.whole, sink);
      }
    }
    return at;
  }

  #fillPrefix(bytes: Uint8Array, at: number, upTo: number): number {
    const piece = bytes.subarray(at, at + upTo - this.#prefixBytes);
    this.#prefix.set(piece, this.#prefixBytes);
    this.#prefixBytes += piece.length;
    return piece.length;
  }

  #takeHeader(bytes: Uint8Array, at: number): number {
    const taken = this.#fillPrefix(bytes, at, HEADER_BYTES);
    if (this.#prefixBytes < HEADER_BYTES) return taken;
    const header: Header = {
      length: readU24(this.#prefix, 0),
      type: readU8(this.#prefix, 3) as FrameType,
      flags: readU8(this.#prefix, 4),
      cid: readU32(this.#prefix, 5),
    };
    this.#header = checkHeader(header, this.#maxPayload);
    return taken;
  }

  #takeSeq(header: DataHeader, bytes: Uint8Array, at: number): number {
    const taken = this.#fillPrefix(bytes, at, PREFIX_BYTES);
    if (this.#prefixBytes < PREFIX_BYTES) return taken;
    const payloadBytes = header.length - 8;
    this.#cid = header.cid;
    this.#seq = readU64(this.#prefix, HEADER_BYTES);
    // The offset behind the last byte has to be representable too.
    if (this.#seq > MAX_OFFSET - payloadBytes) protocolFault('an offset is above 2^53 - 1');
    this.#payloadLeft = payloadBytes;
    return taken;
  }

  #givePayload(piece: Uint8Array, sink: FrameSink): boolean {
    const seq = this.#seq;
    this.#seq += piece.length;
    this.#payloadLeft -= piece.length;
    if (this.#payloadLeft === 0) this.#reset();
    return sink({ type: FrameType.Data, cid: this.#cid, seq, payload: piece });
  }

  #takeBody(header: Header, bytes: Uint8Array, at: number): { whole: Uint8Array | undefined; next: number } {
    if (this.#body === undefined && bytes.length - at >= header.length) {
      const next = at + header.length;
      return { whole: bytes.subarray(at, next), next };
    }
    this.#body ??= new Uint8Array(header.length);
    const piece = bytes.subarray(at, at + header.length - this.#bodyBytes);
    this.#body.set(piece, this.#bodyBytes);
    this.#bodyBytes += piece.length;
    const whole = this.#bodyBytes === header.length ? this.#body : undefined;
    return { whole, next: at + piece.length };
  }

  #giveFrame(header: Header<BodyType>, body: Uint8Array, sink: FrameSink): boolean {
    this.#reset();
    return sink(decodeBody(header, body));
  }

  #reset(): void {
    this.#prefixBytes = 0;
    this.#header = undefined;
    this.#body = undefined;
    this.#bodyBytes = 0;
  }
}
