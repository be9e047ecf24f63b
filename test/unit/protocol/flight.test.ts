import { expect } from 'chai';
import { Flight, nonceOf } from '../../../protocol/session/flight.js';
import { seededRandom } from '../../support/chaos-random.js';

const FRAME = 65_536;
const MOST = 2 ** 25;

/** A path that carries `rate` bytes a millisecond and answers a PING `roundTripMs` after it was carried. */
class Path {
  readonly flight = new Flight(true, MOST);
  now = 0;
  rate: number;
  roundTripMs: number;
  /** Something small goes every millisecond. */
  besideSmall = false;
  /** Answers are late by up to this part of the round trip. */
  jitter = 0;
  readonly #random = seededRandom(1);
  #busyUntil = 0;
  #onTheWay: { readonly at: number; readonly number: number }[] = [];
  readonly samples: number[] = [];

  constructor(rate: number, roundTripMs: number) {
    this.rate = rate;
    this.roundTripMs = roundTripMs;
  }

  #carry(bytes: number, ping: number | undefined): void {
    // The PING lies before its frame.
    if (ping !== undefined) {
      const at =
        Math.max(this.now, this.#busyUntil) + (1 + this.jitter * this.#random.next()) * this.roundTripMs;
      this.#onTheWay.push({ at, number: ping });
    }
    this.#busyUntil = Math.max(this.now, this.#busyUntil) + bytes / this.rate;
  }

  ping(): void {
    this.#carry(17, this.flight.ping(this.now));
  }

  /** Sends as much as may go for so long, or `most` bytes; returns the bytes sent. */
  run(ms: number, most = Infinity): number {
    let sent = 0;
    for (const until = this.now + ms; this.now < until; this.now += 0.25) {
      for (let [next] = this.#onTheWay; next !== undefined && next.at <= this.now; [next] = this.#onTheWay) {
        this.#onTheWay.shift();
        const news = this.flight.pong(nonceOf(next.number), this.now);
        if (news !== undefined) this.samples.push(news.roundTripMs);
      }
      if (this.besideSmall && this.now % 1 === 0) this.flight.small(this.now);
      while (sent < most && this.flight.mayGo(this.now)) {
        const frame = this.flight.frame(this.now);
        this.#carry(frame, this.flight.bulk(frame, this.now));
        sent += frame;
      }
      if (sent < most && this.flight.pingDue(this.now)) this.ping();
    }
    return sent;
  }

  /** Milliseconds that what is sent now waits behind what is under way. */
  get queueMs(): number {
    return Math.max(0, this.#busyUntil - this.now);
  }
}

describe('what is under way on the link', () => {
  it('is bulk whose PING was not answered', () => {
    const flight = new Flight(true, MOST);
    expect([flight.bulk(20_000, 0), flight.bulk(15_000, 0)]).to.deep.equal([undefined, undefined]);
    expect(flight.bulk(FRAME, 0), 'behind 35,000 bytes').to.equal(1);
    expect([flight.underWay, flight.awaited]).to.deep.equal([35_000 + FRAME, 1]);
    expect(flight.pong(nonceOf(1), 7)).to.deep.equal({ number: 1, mark: true, roundTripMs: 7 });
    expect([flight.underWay, flight.awaited]).to.deep.equal([FRAME, 0]);
  });

  it('is proven by a later PING too, and an earlier PONG that comes behind it is not awaited', () => {
    const flight = new Flight(true, MOST);
    flight.ping(0);
    flight.bulk(FRAME, 0);
    flight.ping(1);
    expect(flight.pong(nonceOf(2), 5)).to.deep.equal({ number: 2, mark: false, roundTripMs: 4 });
    expect([flight.underWay, flight.awaited]).to.deep.equal([0, 0]);
    for (const number of [1, 2, 3, 0, 2 ** 52]) expect(flight.pong(nonceOf(number), 5)).to.equal(undefined);
  });

  it('is nothing on another link, and PINGs of the old one are not awaited', () => {
    const flight = new Flight(true, MOST);
    flight.ping(0);
    flight.bulk(FRAME, 0);
    flight.newLink();
    expect([flight.underWay, flight.awaited, flight.pings]).to.deep.equal([0, 0, 1]);
    expect(flight.pong(nonceOf(1), 5)).to.equal(undefined);
    expect(flight.ping(6)).to.equal(2);
  });

  it('holds bulk back from 128 KiB on while nothing is known', () => {
    const flight = new Flight(true, MOST);
    for (let sent = 0; sent < 2; sent++) {
      expect(flight.mayGo(0)).to.equal(true);
      flight.bulk(FRAME, 0);
    }
    expect(flight.mayGo(0)).to.equal(false);
    // Also where no PING went with it yet: one is due.
    const first = new Flight(true, MOST);
    first.bulk(2 * FRAME, 0);
    expect([first.mayGo(0), first.awaited, first.pingDue(0)]).to.deep.equal([false, 0, true]);
  });

  it('is not marked nor held back for a peer that did not ask for it', () => {
    const flight = new Flight(false, MOST);
    for (let sent = 0; sent < 1000; sent++) {
      expect(flight.mayGo(0)).to.equal(true);
      expect(flight.bulk(FRAME, 0)).to.equal(undefined);
    }
  });

  it('carries no more than one PING for 32 KiB, and one at least for 256 KiB and a frame', () => {
    const flight = new Flight(true, MOST);
    let since = 0;
    for (let at = 0; at < 3000; at++) {
      const bytes = 1 + ((at * 7919) % FRAME);
      if (flight.bulk(bytes, at) !== undefined) {
        expect(since).to.be.at.least(32_768);
        since = 0;
      }
      since += bytes;
      expect(since).to.be.at.most(262_144 + FRAME);
    }
  });

  it('holds bulk back for ten seconds at most where PINGs are not answered', () => {
    const flight = new Flight(true, MOST);
    for (let now = 100; flight.mayGo(100); now++) flight.bulk(FRAME, now);
    expect(flight.mayGo(10_100)).to.equal(false);
    expect(flight.mayGo(10_101)).to.equal(true);
    flight.bulk(FRAME, 10_101);
    expect(flight.mayGo(10_101), 'and from then on').to.equal(true);
    flight.pong(nonceOf(2), 10_102);
    flight.bulk(40 * FRAME, 10_102);
    expect(flight.mayGo(10_102), 'until they are').to.equal(false);
  });

  it('awaits a bounded number of PINGs of a peer that never answers', () => {
    const flight = new Flight(true, MOST);
    for (let number = 1; number <= 5000; number++) flight.ping(number);
    expect(flight.awaited).to.equal(1024);
    expect(flight.pong(nonceOf(3976), 5000)).to.equal(undefined);
    expect(flight.pong(nonceOf(3977), 5000)).to.include({ number: 3977 });
  });

  for (const [rate, roundTripMs, name] of [
    [600_000, 0.2, 'loopback'],
    [100_000, 2, 'a site nearby'],
    [300_000, 50, 'far and fast'],
    [6250, 40, '50 Mbit/s'],
    [1250, 30, '10 Mbit/s'],
    [250, 30, '2 Mbit/s'],
  ] as const) {
    for (const besideSmall of [false, true]) {
      it(`fills the path and little more: ${name}, ${besideSmall ? 'beside small messages' : 'bulk alone'}`, () => {
        const path = new Path(rate, roundTripMs);
        path.besideSmall = besideSmall;
        path.ping();
        path.run(20 * roundTripMs + 2000);
        const before = path.now;
        const sent = path.run(4000);
        expect(sent / (path.now - before) / rate).to.be.within(0.9, 1.1);
        // What lies in front of a small message: what is under way less what is on the path, or the least; and two frames.
        const most = Math.max(1.1 * roundTripMs + (besideSmall ? 1 : 4), 65_536 / rate);
        expect(path.queueMs).to.be.at.most(most + (2 * path.flight.frame(path.now)) / rate);
      });
    }
  }

  it('grows quickly at the start, and is what the path takes soon after it is full', () => {
    // With two round trips under way from the start it would be 0.21, 0.04 and 0.92.
    for (const [rate, roundTripMs, share] of [
      [25_000, 100, 0.7],
      [300_000, 50, 0.25],
      [6250, 40, 1],
    ] as const) {
      const path = new Path(rate, roundTripMs);
      path.ping();
      expect(path.run(10 * roundTripMs) / (10 * roundTripMs * rate), 'at first').to.be.above(share);
      path.run(20 * roundTripMs);
      expect(path.queueMs, 'later').to.be.at.most(1.1 * roundTripMs + 5);
    }
  });

  it('begins on another link with what the last one took, but with 512 KiB at most', () => {
    for (const [rate, roundTripMs, first] of [
      [250, 30, 65_536],
      [2500, 30, 2500 * 64],
      [100_000, 50, 524_288],
    ] as const) {
      const path = new Path(rate, roundTripMs);
      expect(path.flight.limit(0)).to.equal(131_072);
      path.ping();
      path.run(4000);
      path.flight.small(path.now);
      path.flight.newLink();
      expect(path.flight.limit(path.now)).to.be.within(0.95 * first, 1.05 * first);
      path.flight.newLink();
      expect(path.flight.limit(path.now), 'and after one that told nothing').to.be.within(
        0.95 * first,
        1.05 * first,
      );
    }
  });

  it('has frames of 16 KiB where two of 64 KiB are more than the path takes', () => {
    const path = new Path(1250, 30);
    expect(path.flight.frame(0), 'nothing is known').to.equal(FRAME);
    path.ping();
    path.run(2000);
    expect(path.flight.limit(path.now)).to.be.within(65_536, 131_071);
    expect(path.flight.frame(path.now)).to.equal(16_384);
    path.rate = 6250;
    path.run(2000);
    expect(path.flight.frame(path.now)).to.equal(FRAME);
    expect(new Flight(false, MOST).frame(0), 'the peer is not paced').to.equal(FRAME);
  });

  it('is bounded, whatever the path takes', () => {
    const path = new Path(1_000_000, 100);
    path.ping();
    path.run(3000);
    expect(path.flight.limit(path.now)).to.equal(MOST);
    expect(path.flight.underWay).to.be.within(MOST, MOST + FRAME);
  });

  it('is less while small messages go too', () => {
    const path = new Path(600_000, 0.2);
    path.ping();
    path.run(500);
    const bulkOnly = path.flight.limit(path.now);
    path.flight.small(path.now);
    const besideSmall = path.flight.limit(path.now);
    expect(besideSmall / bulkOnly).to.be.within(0.25, 0.4);
    path.now += 249;
    expect(path.flight.limit(path.now)).to.equal(besideSmall);
    path.now += 1;
    expect(path.flight.limit(path.now)).to.equal(bulkOnly);
  });

  for (const besideSmall of [false, true]) {
    it(`follows a path that changes under a link that is never idle${besideSmall ? ', beside small messages' : ''}`, () => {
      for (const rate of [1000, 25_000, 400_000])
        for (const slower of [0.1, 1, 10])
          for (const roundTripMs of [0.2, 5, 40])
            for (const longer of [0.2, 1, 1.6, 2.2, 3, 5]) {
              const path = new Path(rate, roundTripMs);
              path.besideSmall = besideSmall;
              path.ping();
              path.run(1500);
              path.rate *= slower;
              path.roundTripMs *= longer;
              path.run(11_500);
              const what = `${rate} to ${path.rate} B/ms, ${roundTripMs} to ${path.roundTripMs} ms`;
              const share = Math.min(1, MOST / path.roundTripMs / path.rate);
              expect(path.run(4000) / 4000 / path.rate, what).to.be.above(0.8 * share);
              const known = path.flight.path.roundTripMs;
              expect(known, what).to.be.within(0.9 * path.roundTripMs, 1.1 * path.roundTripMs + 0.5);
              const most = Math.max(1.2 * path.roundTripMs + 5, 65_536 / path.rate);
              expect(path.queueMs, what).to.be.at.most(most + (2 * path.flight.frame(path.now)) / path.rate);
            }
    }).timeout(120_000);
  }

  it('does not starve where round trips vary by as much as the shortest takes', () => {
    for (const rate of [2000, 10_000, 100_000])
      for (const roundTripMs of [5, 30, 100])
        for (const besideSmall of [false, true]) {
          const path = new Path(rate, roundTripMs);
          path.besideSmall = besideSmall;
          path.jitter = 1;
          path.ping();
          path.run(8000);
          expect(path.run(6000) / 6000 / rate, `${rate} B/ms, ${roundTripMs} ms`).to.be.above(0.75);
        }
  });

  it('is nothing for a moment when the path is to be measured anew', () => {
    const path = new Path(6250, 40);
    path.ping();
    path.run(9900);
    expect(path.flight.underWay).to.be.above(400_000);
    let least = Infinity;
    for (let ms = 0; ms < 1000; ms++) {
      path.run(1);
      least = Math.min(least, path.flight.underWay);
    }
    expect(least).to.be.at.most(FRAME);
    // The path lay idle for one round trip.
    expect(path.run(1000) / 1000 / path.rate).to.be.within(0.9, 1.1);
  });

  it('follows a path that gets slower', () => {
    const path = new Path(200_000, 10);
    path.ping();
    path.run(1000);
    path.rate = 10_000;
    path.run(6000);
    expect(path.queueMs).to.be.at.most(40);
  });

  it('keeps what is known of the path over bursts with pauses', () => {
    const path = new Path(100_000, 20);
    path.ping();
    path.run(2000);
    const { rate } = path.flight.path;
    for (let burst = 0; burst < 20; burst++) path.run(1000, 6_000_000);
    expect(path.flight.path.rate / rate).to.be.within(0.8, 1.25);
  });
});
