/**
 * What the path is like without what we queue on it: its shortest round trip, and the rate at which it lately took what was sent.
 * Round trips are longer when the path is, and when our own bytes queue; one that was measured with nothing else under way tells
 * the two apart (as the ProbeRTT of BBR does: Cardwell and others, 2016).
 */

/** A round trip that is so much longer than the shortest, in parts and in milliseconds, still says that the shortest is right. */
const NEAR = 1.1;
const NEAR_MS = 0.5;
/** When nothing has said so for so long, it is in doubt. */
const SURE_MS = 10_000;
/** And sooner when the rate has become this part of what it was: the path is slower, or longer. */
const LOSS = 0.7;
const SURE_AT_LEAST_MS = 1000;
const SURE_AT_LEAST_ROUND_TRIPS = 30;
/** A rate is taken over a round trip, and at least this long; of the last few the greatest counts, together with its neighbour. */
const SPAN_MS = 20;
const SPANS = 4;
/** On a new link the rate is found when it has not grown by this factor in so many spans, as in the STARTUP of BBR. */
const GROWTH = 1.25;
const SPANS_WITHOUT_GROWTH = 3;

interface Span {
  readonly bytes: number;
  readonly ms: number;
}

export class PathEstimate {
  #roundTripMs = 0;
  #latestMs = 0;
  #samples = 0;
  /** The next round trip counts, whatever was before. */
  #anew = true;
  /** When a round trip last was about as short as the shortest, and the greatest rate since then. */
  #sureAt = 0;
  #peak = 0;
  /** Of the last spans. */
  #spans: Span[] = [];
  #rate = 0;
  /** The rate that counts as the last growth, and spans since then. */
  #grownTo = 0;
  #spansSince = 0;
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

  /** The rate still grows: the path takes more than it was ever given on this link. */
  get starting(): boolean {
    return this.#spansSince < SPANS_WITHOUT_GROWTH;
  }

  /** Another link is another path; what windows need to know of the old one counts until the first PONG. */
  newLink(): void {
    this.#samples = 0;
    this.#anew = true;
    this.#spans = [];
    this.#rate = this.#peak = this.#grownTo = 0;
    this.#spansSince = 0;
    this.begin();
  }

  /** A PONG came. */
  measured(ms: number, now: number): void {
    this.#samples++;
    this.#latestMs = ms;
    if (this.#anew || ms < this.#roundTripMs) this.#roundTripMs = ms;
    this.#anew = false;
    if (ms > NEAR * this.#roundTripMs + NEAR_MS) return;
    this.#sureAt = now;
    this.#peak = this.#rate;
  }

  /** Whether the path may have become longer. Only a round trip with nothing else under way can tell. */
  inDoubt(now: number): boolean {
    const ms = now - this.#sureAt;
    if (ms >= SURE_MS) return true;
    const least = Math.max(SURE_AT_LEAST_MS, SURE_AT_LEAST_ROUND_TRIPS * this.#roundTripMs);
    return ms >= least && this.#rate < LOSS * this.#peak;
  }

  /** Nothing is under way: the next round trip is the path's. */
  measureAnew(now: number): void {
    this.#anew = true;
    this.#sureAt = now;
    this.#peak = this.#rate;
    this.begin();
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
    if (this.starting) this.#watchGrowth();
    this.#begin(now);
  }

  #add(span: Span): void {
    this.#spans.push(span);
    if (this.#spans.length > SPANS) this.#spans.shift();
    this.#rate = greatestRate(this.#spans);
    this.#peak = Math.max(this.#peak, this.#rate);
  }

  /** Where there was less to send than may be under way, that nothing grows says nothing. */
  #watchGrowth(): void {
    if (this.#rate >= GROWTH * this.#grownTo) {
      this.#grownTo = this.#rate;
      this.#spansSince = 0;
    } else if (this.#spanHeld) this.#spansSince++;
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
