/**
 * What the path is like without what we queue on it: its shortest round trip, and the rate at which it lately took what was sent.
 * Round trips are longer when the path is, and when our own bytes queue; those that were measured with little under way tell
 * the two apart.
 */

/** Of so many round trips with little under way the shortest is the path's, when it is longer than what is sent for allows. */
const CLEAN_SAMPLES = 8;
/** A rate is taken over a round trip, and at least this long; of the last few the greatest counts, together with its neighbour. */
const SPAN_MS = 20;
const SPANS = 4;

interface Span {
  readonly bytes: number;
  readonly ms: number;
}

export class PathEstimate {
  #roundTripMs = 0;
  #latestMs = 0;
  #samples = 0;
  /** Round trips with little under way since they were last looked at, and the shortest of them. */
  #clean = 0;
  #shortestClean = Infinity;
  /** Of the last spans. */
  #spans: Span[] = [];
  #rate = 0;
  #peak = 0;
  /** undefined: it begins when something arrives. */
  #spanAt: number | undefined;
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
    return this.#rate;
  }
  /** The greatest rate that the link has shown. */
  get peak(): number {
    return this.#peak;
  }

  /** Another link is another path; what windows need to know of the old one counts until the first PONG. */
  newLink(): void {
    this.#samples = 0;
    this.#clean = 0;
    this.#shortestClean = Infinity;
    this.#spans = [];
    this.#rate = this.#peak = 0;
    this.begin();
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
  begin(): void {
    this.#begin(undefined);
  }

  #begin(now: number | undefined): void {
    this.#spanAt = now;
    this.#spanBytes = 0;
    this.#spanHeld = false;
  }

  /** That much more bulk has arrived. */
  arrived(bytes: number, now: number): void {
    if (this.#spanAt === undefined) {
      this.#spanAt = now;
      return;
    }
    this.#spanBytes += bytes;
    const ms = now - this.#spanAt;
    if (ms < Math.max(SPAN_MS, this.#latestMs)) return;
    // With less to send than the path would take, a rate says only that it is at least that.
    if (this.#spanHeld || this.#spanBytes / ms > this.#rate) this.#add({ bytes: this.#spanBytes, ms });
    this.#begin(now);
  }

  #add(span: Span): void {
    this.#spans.push(span);
    if (this.#spans.length > SPANS) this.#spans.shift();
    this.#rate = greatestRate(this.#spans);
    this.#peak = Math.max(this.#peak, this.#rate);
  }
}

/** What arrives in lumps is too much in one span and too little in the next: the greatest rate over two in a row. */
function greatestRate(spans: readonly Span[]): number {
  let most = 0;
  spans.forEach(({ bytes, ms }, at) => {
    const before = spans[at - 1] ?? { bytes: 0, ms: 0 };
    if (at > 0 || spans.length === 1) most = Math.max(most, (bytes + before.bytes) / (ms + before.ms));
  });
  return most;
}
