/** A link that takes everything and sends nothing until it is told to: what it sends is what its queue holds by then. */
import type { Transmit } from '../../../protocol/index.js';
import type { Frame } from '../../../protocol/wire/frame.js';
import type { Link, LinkHandlers } from '../../../transport/link.js';
import { bytesOf } from '../../support/transmit.js';
import { encodeFrames } from '../../support/wire-frames.js';

export class HoardingLink implements Link {
  readonly writable = true;
  readonly bufferedBytes = 0;
  readonly remoteAddress = '192.0.2.1';
  readonly ended = Promise.resolve();
  /** False: it says that it is done with what it still holds. */
  readonly #honest: boolean;
  readonly #queue: Transmit[] = [];
  #handlers: LinkHandlers | undefined;
  #started = 0;
  #flushed = 0;

  constructor(honest: boolean) {
    this.#honest = honest;
  }

  get startedWrites(): number {
    return this.#started;
  }
  get flushedWrites(): number {
    return this.#honest ? this.#flushed : this.#started;
  }
  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
  }
  send(message: Transmit): void {
    // The views themselves, as a socket keeps them.
    this.#queue.push(message);
    this.#started += message.tail === undefined ? 1 : 2;
  }
  close(): void {
    // What it holds is still to be looked at.
  }
  terminate(): void {
    // As close.
  }

  /** Sends all that it holds; returns it as it is now. */
  flush(): Buffer[] {
    const sent = this.#queue.splice(0).map(bytesOf);
    this.#flushed = this.#started;
    this.#handlers?.onWritable();
    return sent;
  }
  arrive(...frames: readonly Frame[]): void {
    this.#handlers?.onBytes(encodeFrames(...frames));
    this.#handlers?.onMessageEnd();
  }
}
