/**
 * How long the path is, without what we queue on it ourselves: the shortest round trip that was measured on the link. When a
 * path gets longer under a living link, all round trips are longer, as they are when our own bytes queue; only trying larger
 * windows tells the two apart: then everybody together gets more through, or just waits longer. A trial is over when the windows
 * are small again and the gain is gone with them: else it came from elsewhere, such as a process that gets warm.
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
  /** Bytes a millisecond before it, and with larger windows. */
  readonly rateBefore: number;
  rateLarge: number;
  /** What has been measured when a span ends: nothing while windows grow or shrink. */
  phase: 'growing' | 'large' | 'shrinking' | 'small';
}

const NO_TRIAL = { phase: undefined, roundTripMs: 0 } as const;

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
    const { phase, roundTripMs } = this.#trial ?? NO_TRIAL;
    return phase === 'growing' || phase === 'large' ? roundTripMs : this.#believedMs;
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
      this.#trial = { roundTripMs: this.#latestMs, rateBefore: rate, rateLarge: 0, phase: 'growing' };
    }
  }

  /** A span of the trial is over. */
  #judge(trial: Trial, rate: number, now: number): void {
    switch (trial.phase) {
      case 'growing':
        trial.phase = 'large';
        return;
      case 'large':
        if (rate < trial.rateBefore * GAIN) break;
        trial.rateLarge = rate;
        trial.phase = 'shrinking';
        return;
      case 'shrinking':
        trial.phase = 'small';
        return;
      case 'small':
        if (trial.rateLarge < rate * GAIN) break;
        this.#trial = undefined;
        this.#believedMs = trial.roundTripMs;
        return;
    }
    this.#trial = undefined;
    this.#nextTrialAt = now + PAUSE_MS;
  }
}
