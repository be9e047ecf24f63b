/** One stream as one side sees it: the rules of wire-protocol.md §6 for what may arrive and what may be sent. */
import { SessionError, StreamError } from '../errors.js';
import { CloseCode } from '../wire/constants.js';
import type { Cid } from '../wire/frame.js';
import {
  OPEN_NEXT,
  RECEIVE_NEXT,
  SEND_NEXT,
  type OpenInput,
  type OpenState,
  type ReceiveInput,
  type ReceiveState,
  type SendInput,
  type SendState,
} from './half.js';
import { ReceiveWindow } from './receive-window.js';
import { SendBuffer, type Release } from './send-buffer.js';

export interface StreamOptions {
  readonly cid: Cid;
  readonly connector: string;
  readonly client: string;
  /** `opening` on the side that opens, `offered` on the other. */
  readonly openState: 'opening' | 'offered';
  /** Highest offset that we may send for now. */
  readonly peerLimit: number;
  /** Bytes that we take before our first CREDIT. */
  readonly window: number;
}

export class Stream {
  readonly cid: Cid;
  readonly connector: string;
  readonly client: string;
  readonly buffer = new SendBuffer();
  readonly receive: ReceiveWindow;
  openState: OpenState;
  sendState: SendState = 'open';
  receiveState: ReceiveState = 'open';
  /** Highest offset that we may send. */
  peerLimit: number;
  /** FIN has been handed to the link. */
  finSent = false;
  /** The owner was told to pause and waits for `writable`. */
  ownerPaused = false;
  /** The scheduler's own: which queue holds the stream, and its deficit in bytes. */
  queue: 'none' | 'interactive' | 'bulk' = 'none';
  deficit = 0;
  /** The session's own: a CREDIT is waiting in the outbox / in the delayed list. */
  creditQueued = false;
  creditDelayed = false;

  constructor(options: StreamOptions, now: number) {
    this.cid = options.cid;
    this.connector = options.connector;
    this.client = options.client;
    this.openState = options.openState;
    this.peerLimit = options.peerLimit;
    this.receive = new ReceiveWindow(options.window, now);
  }

  /** Both directions finished and took effect. */
  get complete(): boolean {
    return this.sendState === 'done' && this.receiveState === 'done' && !this.receive.unannounced;
  }
  get isReset(): boolean {
    return this.sendState === 'reset';
  }
  /** All data is handed to the link and FIN is next. */
  get finDue(): boolean {
    return this.sendState === 'finished' && !this.finSent && this.buffer.unsent === 0;
  }
  /** Something may be sent now: data within the limit, or FIN. */
  get sendable(): boolean {
    return this.finDue || (this.buffer.unsent > 0 && this.buffer.sent < this.peerLimit);
  }

  /** Moves the open state; false when the input is illegal in it. */
  tryOpen(input: OpenInput): boolean {
    const next = OPEN_NEXT[this.openState][input];
    if (next === undefined) return false;
    this.openState = next;
    return true;
  }
  /** Moves the sending half; false when the input is illegal in its state. */
  trySend(input: SendInput): boolean {
    const next = SEND_NEXT[this.sendState][input];
    if (next === undefined) return false;
    this.sendState = next;
    return true;
  }
  /** Moves the receiving half; false when the input is illegal in its state. */
  tryReceive(input: ReceiveInput): boolean {
    const next = RECEIVE_NEXT[this.receiveState][input];
    if (next === undefined) return false;
    this.receiveState = next;
    return true;
  }

  /** OPENED arrived. Throws StreamError when it is not due. */
  onOpened(window: number): void {
    if (!this.tryOpen('opened')) throw new StreamError('protocol_error', 'OPENED on a stream that is open');
    this.peerLimit = Math.max(this.peerLimit, window);
  }

  /** A piece of DATA arrived. Throws StreamError or SessionError. */
  onData(seq: number, length: number): void {
    if (!this.tryOpen('peerData')) throw new StreamError('protocol_error', 'DATA before OPENED');
    if (!this.tryReceive('data')) throw new StreamError('protocol_error', 'DATA after FIN');
    this.receive.data(seq, length);
  }

  /** FIN arrived. Throws StreamError. */
  onFin(seq: number): void {
    if (!this.tryOpen('peerData')) throw new StreamError('protocol_error', 'FIN before OPENED');
    if (!this.tryReceive('fin')) throw new StreamError('protocol_error', 'a second FIN');
    this.receive.fin(seq);
  }

  /** CREDIT arrived. Returns the bytes it frees; stale numbers free none. Throws SessionError 4400 above what was sent. */
  onCredit(consumed: number, limit: number, release?: Release): number {
    const { buffer } = this;
    const highest = buffer.sent + (this.finSent ? 1 : 0);
    if (consumed > highest) {
      throw new SessionError(CloseCode.Protocol, `CREDIT for ${consumed} of ${highest} sent`);
    }
    this.peerLimit = Math.max(this.peerLimit, limit);
    const acknowledged = Math.min(consumed, buffer.sent);
    const freed = acknowledged > buffer.acknowledged ? buffer.acknowledge(acknowledged, release) : 0;
    if (this.finSent && consumed === highest) this.trySend('acknowledged');
    return freed;
  }
}
