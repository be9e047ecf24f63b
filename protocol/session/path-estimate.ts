/**
 * What the path is like without what we queue on it: its shortest round trip, and the rate at which it lately took what was sent.
 * Round trips are longer when the path is, and when our own bytes queue; those that were measured with little under way tell
 * the two apart.
 */

/** Of so many round trips with little under way the shortest is the path's, when it is longer than what is sent for allows. */
const CLEAN_SAMPLES = 8;
/** A rate is taken over a round trip, and at least this long; the greatest of the last few counts. */
const SPAN_MS = 20;
const SPANS = 4;
/** The rate grows as long as one of the last few spans brought so many times what those before it had. */
const GROWTH = 1.25;

export class PathEstimate {
  #roundTripMs = 0;
  #latestMs = 0;
  #samples = 0;
  /** Round trips with little under way since they were last looked at, and the shortest of them. */
  #clean = 0;
  #shortestClean = Infinity;
  /** Of the last spans. */
  #rates: number[] = [];
  /** Spans since the rate grew. */
  #spansAlike = 0;
  #spanAt = 0;
  #spanBytes = 0;
  #spanHeld = false;

  /** The shortest round trip, in milliseconds; 0 = not known yet. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }
  /** The last round trip, what was queued on the path included; 0 = not known yet. */
  get latestMs(): number {
    return this.#latestMs;
  }
  /** Round trips measured on this link. */
  get samples(): number {
    return this.#samples;
  }
  /** Bytes a millisecond; 0 = not known. */
  get rate(): number {
    return Math.max(0, ...this.#rates);
  }
  /** More under way may bring a higher rate still. */
  get growing(): boolean {
    return this.#spansAlike < SPANS;
  }

  /** Another link is another path; what windows need to know of the old one counts until the first PONG. */
  newLink(): void {
    this.#samples = 0;
    this.#clean = 0;
    this.#shortestClean = Infinity;
    this.#rates = [];
    this.#spansAlike = 0;
  }

  /**
   * A PONG came.
   * @param clean little was under way when its PING went; @param mostMs what is sent for a path that is no longer than this
   */
  measured(ms: number, clean: boolean, mostMs: number): void {
    this.#latestMs = ms;
    if (this.#samples++ === 0 || ms < this.#roundTripMs) this.#roundTripMs = ms;
    if (!clean) return;
    this.#shortestClean = Math.min(this.#shortestClean, ms);
    if (++this.#clean < CLEAN_SAMPLES) return;
    if (this.#shortestClean > mostMs) this.#roundTripMs = this.#shortestClean;
    this.#clean = 0;
    this.#shortestClean = Infinity;
  }

  /** Bulk waits until some has arrived. */
  heldBack(): void {
    this.#spanHeld = true;
  }

  /** Bulk begins to flow. */
  begin(now: number): void {
    this.#spanAt = now;
    this.#spanBytes = 0;
    this.#spanHeld = false;
  }

  /** That much more bulk has arrived. */
  arrived(bytes: number, now: number): void {
    this.#spanBytes += bytes;
    const ms = now - this.#spanAt;
    if (ms < Math.max(SPAN_MS, this.#latestMs)) return;
    const rate = this.#spanBytes / ms;
    // With less to send than the path would take, a rate says only that it is at least that.
    if (this.#spanHeld || rate > this.rate) {
      this.#spansAlike = rate > this.rate * GROWTH ? 0 : this.#spansAlike + 1;
      this.#rates.push(rate);
      if (this.#rates.length > SPANS) this.#rates.shift();
    }
    this.begin(now);
  }
}
