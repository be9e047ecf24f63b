/** Reads test/vectors/*.json, whose form test/vectors/README.md describes. */
import { readFileSync } from 'node:fs';
import { FrameType, type RstReason } from '../../protocol/index.js';
import type { Frame } from '../../protocol/wire/frame.js';
import { parseHello, parseHelloAck } from '../../protocol/wire/hello.js';

/** A long text or hex: parts, where `[unit, n]` stands for n times the unit. */
export type Long = string | readonly (string | readonly [string, number])[];

interface Raw {
  readonly name: string;
  readonly hex: Long;
}

/** A frame as the files write it: wire names, one member `type`. */
export interface RawFrame {
  readonly type: string;
  readonly [member: string]: unknown;
}

export interface FrameVector {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly frame: Frame;
  /** False when other bytes mean the same, so that encoding the meaning gives others. */
  readonly encodes: boolean;
}

export interface InvalidVector {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly close: number;
  readonly maxPayload: number | undefined;
}

export interface MessageVector {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly types: readonly number[];
  readonly close: number | undefined;
}

export function long(value: Long): string {
  if (typeof value === 'string') return value;
  return value.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1]))).join('');
}

export function unhex(value: Long): Uint8Array {
  return new Uint8Array(Buffer.from(long(value), 'hex'));
}

/** HELLO_ACK → FrameType.HelloAck. */
function typeByName(name: string): FrameType {
  const camel = name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const type = (FrameType as Record<string, FrameType>)[camel];
  if (type === undefined) throw new Error(`no frame type is called ${name}`);
  return type;
}

/** A frame of the files as the codec's type. */
export function frameFrom(raw: RawFrame): Frame {
  const number = (key: string): number => raw[key] as number;
  const text = (key: string): string => long(raw[key] as Long);
  const cid = number('cid');
  const type = typeByName(raw.type);
  switch (type) {
    case FrameType.Hello:
      return { type, hello: parseHello(JSON.stringify(raw['document'])) };
    case FrameType.HelloAck:
      return { type, ack: parseHelloAck(JSON.stringify(raw['document'])) };
    case FrameType.Open:
      return { type, cid, connector: text('connector'), client: text('client'), window: number('window') };
    case FrameType.Opened:
      return { type, cid, window: number('window') };
    case FrameType.Data:
      return { type, cid, seq: number('seq'), payload: unhex(raw['payload'] as Long) };
    case FrameType.Fin:
      return { type, cid, seq: number('seq') };
    case FrameType.Credit:
      return { type, cid, consumed: number('consumed'), limit: number('limit') };
    case FrameType.Rst:
      return { type, cid, reason: raw['reason'] as RstReason };
    case FrameType.Ping:
    case FrameType.Pong:
      return { type, nonce: unhex(raw['nonce'] as Long) };
    case FrameType.Goaway:
      return { type, code: number('code'), graceMs: number('grace_ms') };
    case FrameType.Reauth:
      return { type, token: text('token') };
    case FrameType.Diag:
      return { type, text: text('text') };
    case FrameType.Sync:
      return {
        type,
        cid,
        opened: raw['opened'] as boolean,
        closed: raw['closed'] as boolean,
        reason: (raw['reason'] as RstReason | null) ?? undefined,
        received: number('received'),
        consumed: number('consumed'),
        limit: number('limit'),
      };
  }
}

function read(file: string): (Raw & Readonly<Record<string, unknown>>)[] {
  const { vectors } = JSON.parse(readFileSync(`test/vectors/${file}`, 'utf8')) as { vectors: never[] };
  return vectors;
}

/** frames.json: bytes and their meaning. */
export function readFrameVectors(): FrameVector[] {
  return read('frames.json').map(({ name, hex, frame, encode }) => ({
    name,
    bytes: unhex(hex),
    frame: frameFrom(frame as RawFrame),
    encodes: encode !== false,
  }));
}

/** invalid.json: bytes that are refused. */
export function readInvalidVectors(): InvalidVector[] {
  return read('invalid.json').map((raw) => ({
    name: raw.name,
    bytes: unhex(raw.hex),
    close: raw['close'] as number,
    maxPayload: raw['max_payload'] as number | undefined,
  }));
}

/** messages.json: whole messages. */
export function readMessageVectors(): MessageVector[] {
  return read('messages.json').map((raw) => ({
    name: raw.name,
    bytes: unhex(raw.hex),
    types: (raw['types'] as string[]).map(typeByName),
    close: raw['close'] as number | undefined,
  }));
}
