/**
 * The receiving side of flow control (wire-protocol.md §5): which offset may arrive next, how far the peer may go,
 * and when it is worth telling the peer so. The window doubles while the stream is limited by it.
 */
import { SessionError, StreamError } from '../errors.js';
import { CloseCode } from '../wire/constants.js';

/** Window under memory pressure, in bytes: enough to go on, too little to hurt. */
const PRESSED_WINDOW_BYTES = 16_384;
/** Progress of this fraction of what was granted is worth a frame at once. */
const GRANT_FRACTION = 4;
/** And so is this much: on a long path what is consumed and not yet granted again is a part of the window that lies idle. */
const GRANT_BYTES = 262_144;
/** A window used up within so many round trips and a moment, in which the processes on the way get their turns, holds the stream back. */
const HELD_BACK_ROUND_TRIPS = 4;
const TURNS_MS = 8;
/** One that lasts so many times longer is more than the stream needs. */
const TOO_LARGE = 8;

export interface Grant {
  readonly consumed: number;
  readonly limit: number;
}

export class ReceiveWindow {
  #window: number;
  /** Below it only memory pressure goes. */
  #initial: number;
  #received = 0;
  #consumed = 0;
  #limit: number;
  #granted = 0;
  /** Where and when the present measurement of demand began. */
  #epochOffset = 0;
  #epochStart: number;
  #usedUp = false;
  #finished = false;

  /** @param window bytes granted from the start; @param now milliseconds of a monotonic clock. */
  constructor(window: number, now: number) {
    this.#window = window;
    this.#initial = window;
    this.#limit = window;
    this.#epochStart = now;
  }

  /** Next offset expected; FIN counts one. */
  get received(): number {
    return this.#received;
  }
  get consumed(): number {
    return this.#consumed;
  }
  get limit(): number {
    return this.#limit;
  }
  get window(): number {
    return this.#window;
  }
  /** The last grant came because all of the window was consumed. */
  get usedUp(): boolean {
    return this.#usedUp;
  }
  /** Bytes received that the destination has not taken. */
  get held(): number {
    return this.#received - this.#consumed;
  }

  /** Takes `length` bytes at `seq`. Throws StreamError on a gap or an overlap, SessionError 4413 above the limit. */
  data(seq: number, length: number): void {
    if (seq !== this.#received) {
      throw new StreamError('protocol_error', `DATA at ${seq} where ${this.#received} was expected`);
    }
    if (seq + length > this.#limit) {
      throw new SessionError(CloseCode.CreditViolated, `DATA up to ${seq + length} above ${this.#limit}`);
    }
    this.#received += length;
  }

  /** Takes FIN at `seq`; FIN needs no credit (§5.3). Throws StreamError when it is not the next offset. */
  fin(seq: number): void {
    if (seq !== this.#received) {
      throw new StreamError('protocol_error', `FIN at ${seq} where ${this.#received} was expected`);
    }
    this.#received += 1;
    this.#finished = true;
  }

  /** The destination took `count` more (the FIN counts one). */
  consume(count: number): void {
    this.#consumed += count;
  }

  /** True when everything received, FIN included, has taken effect. */
  get drained(): boolean {
    return this.#finished && this.#consumed === this.#received;
  }

  /** True when the peer should hear of progress soon, so that it can forget what it keeps for a replay. */
  get unannounced(): boolean {
    return this.#consumed > this.#granted;
  }

  /**
   * True when the peer should hear of progress at once: a quarter of its credit, 256 KiB, or the FIN took effect.
   * Of its credit, not of the window: under memory pressure the grants are smaller than the window.
   */
  get urgent(): boolean {
    if (this.drained) return this.unannounced;
    const worthIt = Math.min(GRANT_BYTES, (this.#limit - this.#granted) / GRANT_FRACTION);
    return this.#consumed - this.#granted >= Math.max(1, worthIt);
  }

  /**
   * The numbers for a CREDIT frame, counted as told.
   * @param growTo largest window that budgets allow now, in bytes; @param pressed memory is short.
   */
  grant(now: number, roundTripMs: number, growTo: number, pressed: boolean): Grant {
    this.#adapt(now, roundTripMs, growTo);
    const window = pressed ? Math.min(this.#window, PRESSED_WINDOW_BYTES) : this.#window;
    // A limit once granted is never taken back.
    if (!this.#finished) this.#limit = Math.max(this.#limit, this.#consumed + window);
    this.#granted = this.#consumed;
    return { consumed: this.#consumed, limit: this.#limit };
  }

  /** The stream is answered: the window is `window` from now on. */
  openTo(window: number, now: number): Grant {
    this.#window = window;
    this.#initial = window;
    this.#epochStart = now;
    this.#limit = Math.max(this.#limit, this.#consumed + window);
    return { consumed: this.#consumed, limit: this.#limit };
  }

  /** Looks at the window each time that all of it was consumed. */
  #adapt(now: number, roundTripMs: number, growTo: number): void {
    this.#usedUp = this.#consumed - this.#epochOffset >= this.#window;
    if (!this.#usedUp) return;
    const elapsedMs = now - this.#epochStart;
    this.#epochOffset = this.#consumed;
    this.#epochStart = now;
    if (roundTripMs === 0) return;
    const heldBackMs = HELD_BACK_ROUND_TRIPS * roundTripMs + TURNS_MS;
    if (elapsedMs <= heldBackMs) this.#window = Math.max(this.#window, Math.min(this.#window * 2, growTo));
    else if (elapsedMs > TOO_LARGE * heldBackMs) {
      this.#window = Math.max(Math.min(this.#window, this.#initial), Math.floor(this.#window / 2));
    }
  }
}
