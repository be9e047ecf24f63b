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
/** The window is the bottleneck when all of it was consumed within this many round trips. */
const GROW_WITHIN_ROUND_TRIPS = 2;
/** More than this is a queue: the window is halved, down to what the stream began with. */
const SHRINK_BEYOND_ROUND_TRIPS = 4;
/** A larger window is kept, on a path that looks longer than it was, when it brings this much more. */
const TRIAL_GAIN = 1.4;
/** Until the next trial after one that brought nothing. */
const TRIAL_PAUSE_MS = 10_000;

/** What is known of the path, in milliseconds. */
export interface RoundTrips {
  /** The path without what we queue on it ourselves. */
  readonly shortestMs: number;
  readonly latestMs: number;
}

/** A window that was doubled to see whether the path is longer than it was. */
interface Trial {
  /** The window before, in bytes, and what it brought, in bytes a millisecond. */
  readonly window: number;
  readonly rate: number;
  /** Still measures what was sent under the smaller window. */
  settling: boolean;
}

export interface Grant {
  readonly consumed: number;
  readonly limit: number;
}

export class ReceiveWindow {
  #window: number;
  /** What the stream began with, or a trial proved to be of use: below it only memory pressure goes. */
  #floor: number;
  #received = 0;
  #consumed = 0;
  #limit: number;
  #granted = 0;
  /** Where and when the present measurement of demand began. */
  #epochOffset = 0;
  #epochStart: number;
  #timesUsed = 0;
  #trial: Trial | undefined;
  #nextTrialAt = 0;
  #finished = false;

  /** @param window bytes granted from the start; @param now milliseconds of a monotonic clock. */
  constructor(window: number, now: number) {
    this.#window = window;
    this.#floor = window;
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
  /** How often all of the window was consumed. */
  get timesUsed(): number {
    return this.#timesUsed;
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
   * True when the peer should hear of progress at once: a quarter of its credit, or the FIN took effect.
   * Of its credit, not of the window: under memory pressure the grants are smaller than the window.
   */
  get urgent(): boolean {
    return this.drained
      ? this.unannounced
      : this.#consumed - this.#granted >= Math.max(1, (this.#limit - this.#granted) / GRANT_FRACTION);
  }

  /**
   * The numbers for a CREDIT frame, counted as told.
   * @param growTo largest window that budgets allow now, in bytes; @param pressed memory is short.
   */
  grant(now: number, path: RoundTrips, growTo: number, pressed: boolean): Grant {
    this.#adapt(now, path, growTo);
    const window = pressed ? Math.min(this.#window, PRESSED_WINDOW_BYTES) : this.#window;
    // A limit once granted is never taken back.
    if (!this.#finished) this.#limit = Math.max(this.#limit, this.#consumed + window);
    this.#granted = this.#consumed;
    return { consumed: this.#consumed, limit: this.#limit };
  }

  /** The stream is answered: the window is `window` from now on. */
  openTo(window: number, now: number): Grant {
    this.#window = window;
    this.#floor = window;
    this.#epochStart = now;
    this.#limit = Math.max(this.#limit, this.#consumed + window);
    return { consumed: this.#consumed, limit: this.#limit };
  }

  /** Looks at the window each time that all of it was consumed. */
  #adapt(now: number, { shortestMs, latestMs }: RoundTrips, growTo: number): void {
    const bytes = this.#consumed - this.#epochOffset;
    if (bytes < this.#window) return;
    this.#timesUsed++;
    const elapsedMs = now - this.#epochStart;
    this.#epochOffset = this.#consumed;
    this.#epochStart = now;
    const larger = Math.max(this.#window, Math.min(this.#window * 2, growTo));
    if (elapsedMs <= GROW_WITHIN_ROUND_TRIPS * shortestMs) {
      this.#window = larger;
      this.#trial = undefined;
    } else if (this.#trial !== undefined) this.#judge(this.#trial, bytes / elapsedMs, now);
    else if (elapsedMs <= GROW_WITHIN_ROUND_TRIPS * latestMs && now >= this.#nextTrialAt) {
      // The path got longer, or our own bytes queue on it: only then does a larger window bring nothing.
      this.#trial = { window: this.#window, rate: bytes / elapsedMs, settling: true };
      this.#window = larger;
    } else if (elapsedMs > SHRINK_BEYOND_ROUND_TRIPS * shortestMs) {
      this.#window = Math.max(this.#floor, Math.floor(this.#window / 2));
    }
  }

  #judge(trial: Trial, rate: number, now: number): void {
    if (trial.settling) {
      trial.settling = false;
      return;
    }
    this.#trial = undefined;
    if (rate >= trial.rate * TRIAL_GAIN) {
      this.#floor = this.#window;
      return;
    }
    this.#window = trial.window;
    this.#nextTrialAt = now + TRIAL_PAUSE_MS;
  }
}
