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
/**
 * A peer that sends so much while we measure makes a crowd: PONGs wait behind its bulk as PINGs wait behind ours, and nobody can tell
 * the two queues apart. So a rate that the peer's queue holds down looks right, and would stay. In a crowd each looks now and then
 * whether more is to be had, and remembers rates for longer, because the other may just be looking.
 */
const CROWD_BYTES = 32_768;
const SPANS_BETWEEN_LOOKS = 24;
const GROWTH_IN_A_CROWD = 1.15;
const SPANS_IN_A_CROWD = 40;
/** With nothing of ours under way, so much of a round trip is the path: the peer's queue keeps to the same bound as ours. */
const SHARE_OF_THE_PATH = 1 / 2;

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
  /** Bytes that the peer has sent, in all and before the span. */
  #received = 0;
  #receivedBefore = 0;
  #crowded = false;

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

  /** Payload bytes of the peer so far. */
  get received(): number {
    return this.#received;
  }
  /** The peer sends bulk too. */
  get crowded(): boolean {
    return this.#crowded;
  }

  /** The rate still grows, or it is tried whether it does. */
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
    this.#crowded = false;
    this.begin();
  }

  /** The peer sent that much payload. */
  receive(bytes: number): void {
    this.#received += bytes;
  }

  /** A PONG came. @param received bytes of the peer when its PING went */
  measured(ms: number, now: number, received: number): void {
    this.#samples++;
    this.#latestMs = ms;
    const crowded = this.#received - received >= CROWD_BYTES;
    const shortest = this.#anew ? Infinity : this.#roundTripMs;
    this.#roundTripMs = Math.min(shortest, this.#anew && crowded ? ms * SHARE_OF_THE_PATH : ms);
    this.#anew = false;
    if (ms > NEAR * this.#roundTripMs + NEAR_MS) return;
    this.#sureAt = now;
    this.#peak = this.#rate;
  }

  /** Whether the path may have become longer. Only a round trip with nothing else under way can tell. */
  inDoubt(now: number): boolean {
    const ms = now - this.#sureAt;
    const slower = this.#rate < LOSS * this.#peak;
    // In a crowd no round trip is as short as the path, and rates go up and down.
    if (this.#crowded) return ms >= SURE_MS && slower;
    const least = Math.max(SURE_AT_LEAST_MS, SURE_AT_LEAST_ROUND_TRIPS * this.#roundTripMs);
    return ms >= SURE_MS || (ms >= least && slower);
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
    this.#receivedBefore = this.#received;
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
    this.#crowded = this.#received - this.#receivedBefore >= CROWD_BYTES;
    // With less to send than the path would take, a rate says only that it is at least that.
    if (this.#spanHeld || this.#spanBytes / ms > this.#rate) this.#add({ bytes: this.#spanBytes, ms });
    this.#watchGrowth();
    this.#begin(now);
  }

  #add(span: Span): void {
    this.#spans.push(span);
    while (this.#spans.length > (this.#crowded ? SPANS_IN_A_CROWD : SPANS)) this.#spans.shift();
    this.#rate = greatestRate(this.#spans);
    this.#peak = Math.max(this.#peak, this.#rate);
  }

  /** Where there was less to send than may be under way, that nothing grows says nothing. */
  #watchGrowth(): void {
    if (this.starting && this.#rate >= (this.#crowded ? GROWTH_IN_A_CROWD : GROWTH) * this.#grownTo) {
      this.#grownTo = this.#rate;
      this.#spansSince = 0;
      return;
    }
    if (this.#spanHeld && (this.starting || this.#crowded)) this.#spansSince++;
    if (this.#spansSince < SPANS_WITHOUT_GROWTH + SPANS_BETWEEN_LOOKS) return;
    // A look of two spans.
    this.#grownTo = this.#rate;
    this.#spansSince = SPANS_WITHOUT_GROWTH - 2;
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
