/**
 * What one stream of many gets of the path: the mean rate of those that used up their windows lately. Windows follow it, because
 * on a full path whoever has the larger window gets the larger part.
 */

/** The mean is taken over at least this long, and over this many round trips. */
const SPAN_MS = 20;
const SPAN_ROUND_TRIPS = 2;
/** A stream that takes longer for its window is held back by its own destination, or there are so many that all windows are small. */
const HUNGRY_WITHIN_ROUND_TRIPS = 16;

export class FairShare {
  #rate = Infinity;
  #markAt = 0;
  #bytes = 0;
  #streamMs = 0;

  /** Bytes a millisecond of a mean stream; Infinity = not known. */
  get rate(): number {
    return this.#rate;
  }

  /** A stream used up a window of `bytes` within `elapsedMs`. */
  windowUsed(now: number, bytes: number, elapsedMs: number, roundTripMs: number): void {
    if (elapsedMs > HUNGRY_WITHIN_ROUND_TRIPS * roundTripMs) return;
    this.#bytes += bytes;
    // A stream uses up one window after the other: over a span its times add up to the span, whatever its rate.
    this.#streamMs += elapsedMs;
    if (now - this.#markAt < Math.max(SPAN_MS, SPAN_ROUND_TRIPS * roundTripMs)) return;
    this.#rate = this.#bytes / this.#streamMs;
    this.#markAt = now;
    this.#bytes = this.#streamMs = 0;
  }
}
