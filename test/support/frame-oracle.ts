/** RFC 6455 frames read by our reader and by that of ws, as lists of the same form, and frames written by ws. */
import * as ws from 'ws';
import type { Writable } from 'node:stream';
import { FrameReader, WsError } from '../../transport/websocket/frame-reader.js';

/** What ws exports besides its sockets, without types. */
interface Oracle {
  readonly Receiver: new (options: object) => Writable;
  readonly Sender: {
    frame(data: Buffer, options: object): Buffer[];
  };
}
const { Receiver, Sender } = ws as unknown as Oracle;

const MOST_BYTES = 262_144;
const MOST_FRAGMENTS = 1024;

export interface WireFrame {
  readonly opcode: number;
  readonly fin?: boolean;
  readonly payload?: Uint8Array;
}

/** A frame as ws writes it; masked when there is a key. */
export function wsFrame(
  { opcode, fin = true, payload = Buffer.alloc(0) }: WireFrame,
  key?: Uint8Array,
): Buffer {
  const options = {
    opcode,
    fin,
    rsv1: false,
    mask: key !== undefined,
    readOnly: true,
    maskBuffer: Buffer.alloc(4),
    generateMask: (mask: Buffer) => {
      mask.set(key ?? []);
    },
  };
  return Buffer.concat(Sender.frame(Buffer.from(payload), options));
}

/**
 * What was read, one line each, up to the end: `message`, `ping` (with their bytes), `close CODE REASON`, and last of
 * all `text`, `fault CODE` or `fault CODE: WHY` for what only we refuse.
 */
export type Reading = string[];

const line = (what: string, bytes: Uint8Array): string => `${what} ${Buffer.from(bytes).toString('latin1')}`;

export interface OurReading {
  readonly lines: Reading;
  /** The words of the fault. */
  readonly why: string | undefined;
}

/** Reads with ours, in such pieces. What was handed on must lie in them: nothing is copied. */
export function readOurs(
  pieces: readonly Uint8Array[],
  masked: boolean,
  maxMessageBytes = MOST_BYTES,
): OurReading {
  const lines: Reading = [];
  let message: Uint8Array[] = [];
  let pushed: ArrayBufferLike | undefined;
  const reader = new FrameReader(
    { masked, maxMessageBytes },
    {
      onBytes(bytes) {
        if (bytes.buffer !== pushed) throw new Error('what was handed on is a copy');
        message.push(Uint8Array.from(bytes));
      },
      onMessageEnd() {
        lines.push(line('message', Buffer.concat(message)));
        message = [];
      },
      onText: () => void lines.push('text'),
      onPing: (payload) => void lines.push(line('ping', payload)),
      onClose: (code, reason) => void lines.push(`close ${code} ${reason}`),
    },
  );
  try {
    for (const piece of pieces) {
      // It unmasks in place.
      const own = Uint8Array.from(piece);
      pushed = own.buffer;
      reader.push(own);
    }
  } catch (error) {
    if (!(error instanceof WsError)) throw error;
    lines.push(`fault ${error.code}`);
    return { lines, why: error.message };
  }
  return { lines, why: undefined };
}

/** Reads with ws. */
export function readWs(bytes: Uint8Array, masked: boolean, maxMessageBytes = MOST_BYTES): Reading {
  const lines: Reading = [];
  const receiver = new Receiver({
    isServer: masked,
    maxPayload: maxMessageBytes,
    maxFragments: MOST_FRAGMENTS,
    allowSynchronousEvents: true,
  });
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    lines.push(isBinary ? line('message', data) : 'text'),
  );
  receiver.on('ping', (data: Buffer) => lines.push(line('ping', data)));
  receiver.on('conclude', (code: number, reason: Buffer) => lines.push(`close ${code} ${reason.toString()}`));
  // Directly: 'error' would come in the next turn.
  receiver._write(Buffer.from(bytes), 'binary', (error) => {
    if (error) lines.push(`fault ${statusOf(error)}`);
  });
  return lines;
}

/** The close code that ws keeps in an error, under a symbol of its own. */
function statusOf(error: Error): string {
  const key = Object.getOwnPropertySymbols(error).find(({ description }) => description === 'status-code');
  return key === undefined ? error.message : String((error as unknown as Record<symbol, unknown>)[key]);
}

/** Where our reader is stricter than ws, or not comparable: what it read before is all there is to compare. */
export function isStricter({ lines, why }: OurReading): boolean {
  return lines.includes('text') || why === 'a length is not in its shortest form';
}

/** Completes any header that the bytes end in: ws refuses a length without the mask key behind it, ours with it. */
export const COMPLETION = Buffer.alloc(14);
