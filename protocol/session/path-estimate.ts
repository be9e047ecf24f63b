/**
 * How long the path is, without what we queue on it ourselves: the shortest round trip that was measured on the link. When a
 * path gets longer under a living link, all round trips are longer, as they are when our own bytes queue; only trying larger
 * windows tells the two apart: then everybody together gets more through, or just waits longer.
 */

/** Rates are taken over at least this long. */
const SPAN_MS = 250;
/** What everybody together has to gain for the path to count as longer. */
const GAIN = 1.4;
/** Until the next trial after one that brought nothing. */
const PAUSE_MS = 10_000;
/** A window used up within this many round trips holds its stream back. */
const HELD_BACK_ROUND_TRIPS = 2;

interface Trial {
  readonly roundTripMs: number;
  /** Bytes a millisecond before it. */
  readonly rate: number;
  /** Windows grow; what is measured comes after. */
  settling: boolean;
}

export class PathEstimate {
  #believedMs = 0;
  #latestMs = 0;
  #samples = 0;
  /** Bytes that destinations took, all streams. */
  #bytes = 0;
  #markAt = 0;
  #markBytes = 0;
  #trial: Trial | undefined;
  #nextTrialAt = 0;

  /** What windows grow and shrink by, in milliseconds; 0 = not known yet. */
  get roundTripMs(): number {
    return this.#trial?.roundTripMs ?? this.#believedMs;
  }
  /** Round trips measured on this link. */
  get samples(): number {
    return this.#samples;
  }

  /** A PONG came. */
  measured(ms: number): void {
    this.#latestMs = ms;
    this.#believedMs = this.#samples === 0 ? ms : Math.min(this.#believedMs, ms);
    this.#samples++;
  }

  /** Another link is another path; what is known of the old one counts until the first PONG. */
  newLink(): void {
    this.#samples = 0;
    this.#trial = undefined;
  }

  consumed(bytes: number): void {
    this.#bytes += bytes;
  }

  /** A stream used up its window within `elapsedMs`. */
  windowUsed(now: number, elapsedMs: number): void {
    const leastMs = Math.max(SPAN_MS, 2 * this.#latestMs);
    const spanMs = now - this.#markAt;
    if (spanMs < leastMs) return;
    const rate = (this.#bytes - this.#markBytes) / spanMs;
    this.#markAt = now;
    this.#markBytes = this.#bytes;
    // A pause is in it: it says nothing of the path.
    if (spanMs > 4 * leastMs) this.#trial = undefined;
    else if (this.#trial !== undefined) this.#judge(this.#trial, rate, now);
    else if (
      now >= this.#nextTrialAt &&
      elapsedMs > HELD_BACK_ROUND_TRIPS * this.#believedMs &&
      elapsedMs <= HELD_BACK_ROUND_TRIPS * this.#latestMs
    ) {
      this.#trial = { roundTripMs: this.#latestMs, rate, settling: true };
    }
  }

  #judge(trial: Trial, rate: number, now: number): void {
    if (trial.settling) {
      trial.settling = false;
      return;
    }
    this.#trial = undefined;
    if (rate >= trial.rate * GAIN) this.#believedMs = trial.roundTripMs;
    else this.#nextTrialAt = now + PAUSE_MS;
  }
}
