/** Frames to bytes (wire-protocol.md §2–§4). Callers hand in valid frames: a bound broken here is our bug. */
import { encodeUtf8, writeU16, writeU24, writeU32, writeU64 } from './bytes.js';
import { FrameType, HEADER_BYTES, RST_REASONS, type RstReason } from './constants.js';
import type { DataFrame, Frame, SyncFrame } from './frame.js';
import { formatHello, formatHelloAck } from './hello.js';

/** Bytes of a DATA frame before its payload. */
export const DATA_HEADER_BYTES = HEADER_BYTES + 8;

/** Flags of SYNC (§4.14). */
export const SYNC_OPENED = 0x01;
export const SYNC_CLOSED = 0x02;

/** Writes the fixed header at `at`; `length` counts the body only. */
function writeHeader(out: Uint8Array, at: number, type: FrameType, cid: number, length: number): void {
  writeU24(out, at, length);
  out[at + 3] = type;
  out[at + 4] = 0;
  writeU32(out, at + 5, cid);
}

/** Writes header and seq of a DATA frame whose payload follows; returns the bytes written. */
export function writeDataHeader(
  out: Uint8Array,
  at: number,
  cid: number,
  seq: number,
  payloadBytes: number,
): number {
  writeHeader(out, at, FrameType.Data, cid, 8 + payloadBytes);
  writeU64(out, at + HEADER_BYTES, seq);
  return DATA_HEADER_BYTES;
}

function frameOf(type: FrameType, cid: number, bodyBytes: number): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + bodyBytes);
  writeHeader(out, 0, type, cid, bodyBytes);
  return out;
}

function withBody(type: FrameType, cid: number, body: Uint8Array): Uint8Array {
  const out = frameOf(type, cid, body.length);
  out.set(body, HEADER_BYTES);
  return out;
}

function withOffset(type: FrameType, cid: number, offset: number): Uint8Array {
  const out = frameOf(type, cid, 8);
  writeU64(out, HEADER_BYTES, offset);
  return out;
}

/** The code of a reason on the wire, counted from 1; 0 stands for none. */
function reasonCode(reason: RstReason | undefined): number {
  return reason === undefined ? 0 : RST_REASONS.indexOf(reason) + 1;
}

function encodeOpen(cid: number, window: number, connector: string, client: string): Uint8Array {
  const name = encodeUtf8(connector);
  const address = encodeUtf8(client);
  const out = frameOf(FrameType.Open, cid, 8 + 1 + name.length + 1 + address.length);
  let at = HEADER_BYTES;
  writeU64(out, at, window);
  at += 8;
  out[at++] = name.length;
  out.set(name, at);
  at += name.length;
  out[at++] = address.length;
  out.set(address, at);
  return out;
}

function encodeData(frame: DataFrame): Uint8Array {
  const out = new Uint8Array(DATA_HEADER_BYTES + frame.payload.length);
  writeDataHeader(out, 0, frame.cid, frame.seq, frame.payload.length);
  out.set(frame.payload, DATA_HEADER_BYTES);
  return out;
}

function encodeSync(frame: SyncFrame): Uint8Array {
  const out = frameOf(FrameType.Sync, frame.cid, 25);
  out[4] = (frame.opened ? SYNC_OPENED : 0) | (frame.closed ? SYNC_CLOSED : 0);
  out[HEADER_BYTES] = reasonCode(frame.reason);
  writeU64(out, HEADER_BYTES + 1, frame.received);
  writeU64(out, HEADER_BYTES + 9, frame.consumed);
  writeU64(out, HEADER_BYTES + 17, frame.limit);
  return out;
}

/** Encodes one frame, header included. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case FrameType.Hello:
      return withBody(frame.type, 0, encodeUtf8(formatHello(frame.hello)));
    case FrameType.HelloAck:
      return withBody(frame.type, 0, encodeUtf8(formatHelloAck(frame.ack)));
    case FrameType.Open:
      return encodeOpen(frame.cid, frame.window, frame.connector, frame.client);
    case FrameType.Opened:
      return withOffset(frame.type, frame.cid, frame.window);
    case FrameType.Data:
      return encodeData(frame);
    case FrameType.Fin:
      return withOffset(frame.type, frame.cid, frame.seq);
    case FrameType.Credit: {
      const out = frameOf(frame.type, frame.cid, 16);
      writeU64(out, HEADER_BYTES, frame.consumed);
      writeU64(out, HEADER_BYTES + 8, frame.limit);
      return out;
    }
    case FrameType.Rst:
      return withBody(frame.type, frame.cid, Uint8Array.of(reasonCode(frame.reason)));
    case FrameType.Ping:
    case FrameType.Pong:
      return withBody(frame.type, 0, frame.nonce);
    case FrameType.Goaway: {
      const out = frameOf(frame.type, 0, 6);
      writeU16(out, HEADER_BYTES, frame.code);
      writeU32(out, HEADER_BYTES + 2, frame.graceMs);
      return out;
    }
    case FrameType.Reauth:
      return withBody(frame.type, 0, encodeUtf8(frame.token));
    case FrameType.Diag:
      return withBody(frame.type, 0, encodeUtf8(frame.text));
    case FrameType.Sync:
      return encodeSync(frame);
  }
}
