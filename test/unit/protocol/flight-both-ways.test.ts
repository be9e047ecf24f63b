/** Bulk in both directions of one path: a PONG waits behind the peer's bulk, as a PING waits behind ours. */
import { expect } from 'chai';
import { Flight, nonceOf } from '../../../protocol/session/flight.js';

const MOST = 2 ** 25;
const STEP_MS = 0.25;

interface Arrival {
  readonly at: number;
  readonly what: { readonly ping: number } | { readonly pong: number } | { readonly bytes: number };
}

/** One end, and the direction in which it sends. */
class End {
  readonly flight = new Flight(true, MOST);
  readonly #rate: number;
  oneWayMs: number;
  /** False: it does not know of what comes from the other. */
  readonly #sees: boolean;
  sending = false;
  sent = 0;
  /** Milliseconds for which what is sent now waits. */
  queueMs = 0;
  #arrivals: Arrival[] = [];

  constructor(rate: number, oneWayMs: number, sees: boolean) {
    this.#rate = rate;
    this.oneWayMs = oneWayMs;
    this.#sees = sees;
  }

  #carry(now: number, bytes: number, what: Arrival['what']): void {
    this.queueMs += bytes / this.#rate;
    this.#arrivals.push({ at: now + this.queueMs + this.oneWayMs, what });
  }

  ping(now: number): void {
    this.#carry(now, 17, { ping: this.flight.ping(now) });
  }

  step(now: number, other: End): void {
    for (let [next] = other.#arrivals; next !== undefined && next.at <= now; [next] = other.#arrivals) {
      other.#arrivals.shift();
      if ('ping' in next.what) this.#carry(now, 17, { pong: next.what.ping });
      else if ('pong' in next.what) this.flight.pong(nonceOf(next.what.pong), now);
      else if (this.#sees) this.flight.path.receive(next.what.bytes);
    }
    while (this.sending && this.flight.mayGo(now)) {
      const frame = this.flight.frame(now);
      const ping = this.flight.bulk(frame, now);
      if (ping !== undefined) this.#carry(now, 17, { ping });
      this.#carry(now, frame, { bytes: frame });
      this.sent += frame;
    }
    if (this.sending && this.flight.pingDue(now)) this.ping(now);
    this.queueMs = Math.max(0, this.queueMs - STEP_MS);
  }
}

interface Line {
  /** Bytes a millisecond: of the end that begins, and of the other. */
  readonly rates: readonly [number, number];
  readonly roundTripMs: number;
  /** The round trip from a while after both send on. */
  readonly laterMs?: number;
  readonly sees?: boolean;
}

interface Shares {
  /** Parts of the line, each in its direction, in the last half minute. */
  readonly first: number;
  readonly second: number;
  /** Longest queue meanwhile, in milliseconds. */
  readonly queueMs: number;
}

/** The first end sends for a second alone, then both do. */
function run({ rates, roundTripMs, laterMs = roundTripMs, sees = true }: Line): Shares {
  const first = new End(rates[0], roundTripMs / 2, sees);
  const second = new End(rates[1], roundTripMs / 2, sees);
  let [queueMs, firstBefore, secondBefore] = [0, 0, 0];
  const [firstAt, secondAt, laterAt, lookAt, endAt] = [1000, 2000, 5000, 30_000, 60_000];
  for (const end of [first, second]) end.ping(0);
  for (let now = 0; now < endAt; now += STEP_MS) {
    first.sending = now >= firstAt;
    second.sending = now >= secondAt;
    if (now === laterAt) first.oneWayMs = second.oneWayMs = laterMs / 2;
    first.step(now, second);
    second.step(now, first);
    if (now === lookAt) [firstBefore, secondBefore] = [first.sent, second.sent];
    if (now >= lookAt) queueMs = Math.max(queueMs, first.queueMs, second.queueMs);
  }
  const share = (sent: number, rate: number): number => sent / (endAt - lookAt) / rate;
  return {
    first: share(first.sent - firstBefore, rates[0]),
    second: share(second.sent - secondBefore, rates[1]),
    queueMs,
  };
}

describe('bulk in both directions', () => {
  const lines: readonly (readonly [string, Line])[] = [
    ['50 Mbit/s, 40 ms', { rates: [6250, 6250], roundTripMs: 40 }],
    ['200 Mbit/s, 100 ms', { rates: [25_000, 25_000], roundTripMs: 100 }],
    ['160 Mbit/s, 5 ms', { rates: [20_000, 20_000], roundTripMs: 5 }],
    ['10 Mbit/s, 30 ms', { rates: [1250, 1250], roundTripMs: 30 }],
    ['100 Mbit/s against 20, 30 ms', { rates: [12_500, 2500], roundTripMs: 30 }],
    ['20 Mbit/s against 100, 30 ms', { rates: [2500, 12_500], roundTripMs: 30 }],
    ['50 Mbit/s, 40 ms and then 120', { rates: [6250, 6250], roundTripMs: 40, laterMs: 120 }],
  ];
  for (const [name, line] of lines) {
    it(`carries a good part of the line in each, and no long queue: ${name}`, () => {
      const shares = run(line);
      expect(Math.min(shares.first, shares.second), JSON.stringify(shares)).to.be.above(0.5);
      const { roundTripMs, laterMs = roundTripMs } = line;
      const least = 65_536 / Math.min(...line.rates);
      expect(shares.queueMs, 'queue').to.be.at.most(4 * laterMs + 8 + least);
    });
  }

  it('would be a queue of seconds without a look at what the other sends', () => {
    const { queueMs } = run({ rates: [6250, 6250], roundTripMs: 40, sees: false });
    expect(queueMs).to.be.above(1000);
  });
});
