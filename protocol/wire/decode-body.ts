/** The body of one complete frame, other than DATA, to a Frame (wire-protocol.md §4). */
import { SessionError } from '../errors.js';
import { decodeUtf8, readU8, readU16, readU32, readU64 } from './bytes.js';
import {
  CloseCode,
  FrameType,
  MAX_ADDRESS_BYTES,
  MAX_OFFSET,
  RST_REASONS,
  type RstReason,
} from './constants.js';
import { SYNC_CLOSED, SYNC_OPENED } from './encode.js';
import type { Frame, OpenFrame } from './frame.js';
import { isConnectorName, parseHello, parseHelloAck } from './hello.js';

/** DATA has no body as the others have one: its payload is handed on in the pieces in which it arrives. */
export type BodyType = Exclude<FrameType, typeof FrameType.Data>;

/** A frame's header, checked against the table of lengths and flags before its body is looked at. */
export interface Header<Type extends FrameType = FrameType> {
  readonly type: Type;
  readonly flags: number;
  readonly cid: number;
  /** Bytes of the body. */
  readonly length: number;
}

/** A fault of the peer's framing: 4400. */
export function protocolFault(what: string): never {
  throw new SessionError(CloseCode.Protocol, what);
}

/** Reads an absolute offset; above 2^53 - 1 it is refused (§2.4). */
function readOffset(body: Uint8Array, at: number): number {
  const value = readU64(body, at);
  if (value > MAX_OFFSET) protocolFault('an offset is above 2^53 - 1');
  return value;
}

function readText(body: Uint8Array): string {
  return decodeUtf8(body) ?? protocolFault('a text is not UTF-8');
}

function readReason(code: number): RstReason {
  return RST_REASONS[code - 1] ?? protocolFault(`reason code ${code} is unknown`);
}

function decodeOpen(cid: number, body: Uint8Array): OpenFrame {
  const nameEnd = 9 + readU8(body, 8);
  const addressEnd = nameEnd + 1 + readU8(body, nameEnd);
  if (nameEnd >= body.length || addressEnd !== body.length)
    protocolFault('the lengths in OPEN do not add up');
  const connector = readText(body.subarray(9, nameEnd));
  if (!isConnectorName(connector)) protocolFault('OPEN names a connector that is not of its form');
  const address = body.subarray(nameEnd + 1, addressEnd);
  if (address.length > MAX_ADDRESS_BYTES) protocolFault('the client address in OPEN is too long');
  return { type: FrameType.Open, cid, connector, client: readText(address), window: readOffset(body, 0) };
}

/** Decodes the body of any frame but DATA. Throws SessionError 4400. */
export function decodeBody(header: Header<BodyType>, body: Uint8Array): Frame {
  const { type, cid, flags } = header;
  switch (type) {
    case FrameType.Hello:
      return { type, hello: parseHello(readText(body)) };
    case FrameType.HelloAck:
      return { type, ack: parseHelloAck(readText(body)) };
    case FrameType.Open:
      return decodeOpen(cid, body);
    case FrameType.Opened:
      return { type, cid, window: readOffset(body, 0) };
    case FrameType.Fin:
      return { type, cid, seq: readOffset(body, 0) };
    case FrameType.Credit:
      return { type, cid, consumed: readOffset(body, 0), limit: readOffset(body, 8) };
    case FrameType.Rst:
      return { type, cid, reason: readReason(readU8(body, 0)) };
    case FrameType.Ping:
    case FrameType.Pong:
      return { type, nonce: Uint8Array.from(body) };
    case FrameType.Goaway:
      return { type, code: readU16(body, 0), graceMs: readU32(body, 2) };
    case FrameType.Reauth:
      return { type, token: readText(body) };
    case FrameType.Diag:
      return { type, text: readText(body) };
    case FrameType.Sync:
      return {
        type,
        cid,
        opened: (flags & SYNC_OPENED) !== 0,
        closed: (flags & SYNC_CLOSED) !== 0,
        reason: body[0] === 0 ? undefined : readReason(readU8(body, 0)),
        received: readOffset(body, 1),
        consumed: readOffset(body, 9),
        limit: readOffset(body, 17),
      };
  }
}
