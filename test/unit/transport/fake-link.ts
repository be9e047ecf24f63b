import type { Transmit } from '../../../protocol/index.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import type { Link, LinkEnd, LinkHandlers } from '../../../transport/link.js';
import { bytesOf } from '../../support/transmit.js';
import { decodeFrames, encodeFrames } from '../../support/wire-frames.js';

/** A link whose other end is the test. */
export class FakeLink implements Link {
  /** Messages that may still be sent before the link is not writable. */
  room = Infinity;
  readonly bufferedBytes = 0;
  readonly remoteAddress = '192.0.2.1';
  readonly ended: Promise<void>;
  /** Every message that was sent. */
  readonly messages: Uint8Array[] = [];
  /** How it was closed from our side. */
  closed: LinkEnd | undefined;
  terminated = false;
  #taken = 0;
  #handlers: LinkHandlers | undefined;
  #resolveEnded: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  get writable(): boolean {
    return this.room > 0;
  }
  /** Every message is one write, and copied: it is done with at once. */
  get startedWrites(): number {
    return this.messages.length;
  }
  get flushedWrites(): number {
    return this.messages.length;
  }
  get started(): boolean {
    return this.#handlers !== undefined;
  }
  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
  }
  send(message: Transmit): void {
    this.room -= 1;
    this.messages.push(bytesOf(message));
  }
  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }
  terminate(): void {
    this.terminated = true;
  }

  // ---- the test's end -------------------------------------------------------------------------------------

  /** The frames that were sent since the last call. */
  frames(): Frame[] {
    const fresh = this.messages.slice(this.#taken);
    this.#taken = this.messages.length;
    return decodeFrames(fresh);
  }
  /** Frames arrive in one message. */
  arrive(...frames: readonly Frame[]): void {
    this.arriveBytes(encodeFrames(...frames));
  }
  arriveBytes(...pieces: readonly Uint8Array[]): void {
    this.arrivePart(...pieces);
    this.#handlers?.onMessageEnd();
  }
  /** Bytes of a message that goes on. */
  arrivePart(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#handlers?.onBytes(piece);
  }
  /** There is room again for that many messages. */
  giveRoom(messages = Infinity): void {
    this.room = messages;
    this.#handlers?.onWritable();
  }
  /** The connection is gone. */
  end(code = 1006, reason = ''): void {
    this.#resolveEnded();
    this.#handlers?.onEnd({ code, reason });
  }
}

/** Lets what was put off to the next turn of the event loop happen. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
