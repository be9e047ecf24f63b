import { expect } from 'chai';
import { PathEstimate } from '../../../protocol/session/path-estimate.js';

describe('what is known of the path', () => {
  it('is nothing before the first round trip, and then the shortest and the latest one of the link', () => {
    const path = new PathEstimate();
    expect([path.roundTripMs, path.latestMs, path.samples, path.rate]).to.deep.equal([0, 0, 0, 0]);
    for (const ms of [5, 3, 9]) path.measured(ms, 0, path.received);
    expect([path.roundTripMs, path.latestMs, path.samples]).to.deep.equal([3, 9, 3]);
  });

  it('begins anew on another link, but for the round trip, which counts until the first one there', () => {
    const path = new PathEstimate();
    path.measured(3, 0, path.received);
    for (const now of [0, 20]) path.arrived(1000, now);
    expect(path.rate).to.equal(50);
    path.newLink();
    expect([path.roundTripMs, path.samples, path.rate]).to.deep.equal([3, 0, 0]);
    path.measured(70, 0, path.received);
    path.measured(90, 0, path.received);
    expect([path.roundTripMs, path.samples]).to.deep.equal([70, 2]);
  });

  it('does not count the time between two links', () => {
    const path = new PathEstimate();
    for (const now of [0, 10]) path.arrived(1000, now);
    path.newLink();
    for (const now of [10_000, 10_020]) path.arrived(1000, now);
    expect(path.rate).to.equal(50);
  });

  it('is in doubt when no round trip has been about as short as the shortest for ten seconds', () => {
    const path = new PathEstimate();
    path.measured(10, 0, path.received);
    path.measured(11.5, 1000, path.received);
    path.measured(11.6, 9000, path.received);
    expect([path.inDoubt(10_999), path.inDoubt(11_000)]).to.deep.equal([false, true]);
    path.measured(11, 11_001, path.received);
    expect([path.inDoubt(21_000), path.inDoubt(21_001)]).to.deep.equal([false, true]);
  });

  for (const [roundTripMs, at] of [
    [10, 1000],
    [100, 3000],
  ] as const) {
    it(`is in doubt sooner when its rate has gone down: round trip of ${roundTripMs} ms`, () => {
      const path = new PathEstimate();
      path.measured(roundTripMs, 0, path.received);
      const span = (bytes: number): void => {
        path.begin();
        path.arrived(1, 0);
        path.heldBack();
        path.arrived(bytes, 100);
      };
      for (let n = 0; n < 4; n++) span(100_000);
      for (let n = 0; n < 5; n++) span(71_000);
      expect(path.inDoubt(9999), 'a little').to.equal(false);
      for (let n = 0; n < 5; n++) span(69_000);
      expect([path.inDoubt(at - 1), path.inDoubt(at)]).to.deep.equal([false, true]);
      path.measureAnew(at);
      expect(path.inDoubt(at + 9999), 'that is what it is now').to.equal(false);
    });
  }

  it('is measured anew by the next round trip, longer or not', () => {
    const path = new PathEstimate();
    path.measured(10, 0, path.received);
    path.measureAnew(20);
    expect(path.roundTripMs).to.equal(10);
    for (const ms of [50, 60]) path.measured(ms, 70, path.received);
    expect(path.roundTripMs).to.equal(50);
    path.measured(40, 80, path.received);
    expect([path.roundTripMs, path.samples]).to.deep.equal([40, 4]);
  });

  it('is half of a round trip that is measured behind bulk of the peer', () => {
    const path = new PathEstimate();
    path.receive(32_768);
    path.measured(80, 0, 0);
    expect(path.roundTripMs).to.equal(40);
    path.receive(32_767);
    path.measureAnew(100);
    path.measured(60, 200, 32_768);
    expect(path.roundTripMs, 'there was little of it').to.equal(60);
    path.receive(32_768);
    path.measured(50, 300, 65_535);
    expect(path.roundTripMs, 'a shorter one is a shorter one').to.equal(50);
  });

  describe('its rate', () => {
    /** A span of 20 ms, or as long as is said, in which so many bytes arrived. */
    function span(path: PathEstimate, bytes: number, { held = true, ms = 20, ofThePeer = 0 } = {}): void {
      path.begin();
      path.arrived(1, 0);
      if (held) path.heldBack();
      path.receive(ofThePeer);
      path.arrived(bytes, ms);
    }

    it('is the greatest of the last four spans, over two in a row', () => {
      const path = new PathEstimate();
      span(path, 2000);
      expect(path.rate, 'the first is alone').to.equal(100);
      for (const bytes of [4000, 4000, 1000, 1000]) span(path, bytes);
      expect(path.rate).to.equal(200);
      span(path, 1000);
      expect(path.rate, 'one of the two is forgotten').to.equal(125);
      span(path, 1000);
      expect(path.rate, 'and the other').to.equal(50);
    });

    it('is not taken from what was late and came all at once', () => {
      const path = new PathEstimate();
      for (let n = 0; n < 4; n++) span(path, 2000);
      span(path, 0, { ms: 200 });
      span(path, 22_000);
      expect(path.rate).to.equal(100);
    });

    it('is not lowered by a span in which there was less to send than may be under way', () => {
      const path = new PathEstimate();
      for (let n = 0; n < 2; n++) span(path, 4000);
      for (let n = 0; n < 10; n++) span(path, 1000, { held: false });
      expect(path.rate).to.equal(200);
      span(path, 6000, { held: false });
      expect(path.rate).to.equal(250);
    });

    it('is being found until it has not grown by a quarter in three spans, on each link anew', () => {
      const path = new PathEstimate();
      const starting = (...bytes: readonly number[]): boolean[] =>
        bytes.map((count) => {
          span(path, count);
          return path.starting;
        });
      expect(path.starting, 'nothing is known').to.equal(true);
      // Over two spans in a row: 50, 75, 100 bytes a millisecond, and no quarter more from then on.
      expect(starting(1000, 2000, 2000)).to.deep.equal([true, true, true]);
      expect(starting(2400, 2400)).to.deep.equal([true, true]);
      for (let bytes = 2410; bytes < 2460; bytes += 10) span(path, bytes, { held: false });
      expect(path.starting, 'there was less to send').to.equal(true);
      expect(starting(2400, 8000)).to.deep.equal([false, false]);
      path.measureAnew(0);
      expect(path.starting, 'it is known').to.equal(false);
      path.newLink();
      expect(starting(1000)).to.deep.equal([true]);
    });

    it('is looked for again for two spans after each twenty-four while the peer sends bulk too', () => {
      const path = new PathEstimate();
      const crowd = (bytes: number): boolean => {
        span(path, bytes, { ofThePeer: 32_768 });
        return path.starting;
      };
      crowd(1000);
      const steady = Array.from({ length: 60 }, () => crowd(1000));
      expect(steady.slice(0, 3), 'no growth').to.deep.equal([true, true, false]);
      const looks = steady.flatMap((starting, at) => (starting && at > 2 ? [at] : []));
      expect(looks).to.deep.equal([26, 27, 52, 53]);
      for (let n = 0; n < 18; n++) expect(crowd(1000)).to.equal(false);
      expect(crowd(1000)).to.equal(true);
      expect([crowd(1200), crowd(1200)], 'and more is to be had').to.deep.equal([true, true]);
    });

    it('is remembered for forty spans in a crowd, and is no reason for doubt there for ten seconds', () => {
      const path = new PathEstimate();
      path.measured(10, 0, 0);
      const crowd = (bytes: number): void => span(path, bytes, { ofThePeer: 32_768 });
      for (let n = 0; n < 2; n++) crowd(2000);
      for (let n = 0; n < 38; n++) crowd(500);
      expect(path.rate).to.equal(100);
      for (let n = 0; n < 2; n++) crowd(500);
      expect(path.rate).to.equal(25);
      expect([path.inDoubt(9999), path.inDoubt(10_000)]).to.deep.equal([false, true]);
      for (let n = 0; n < 45; n++) crowd(2000);
      expect(path.inDoubt(10_000), 'in a crowd no round trip is short').to.equal(false);
    });

    it('is taken over a round trip where that is longer', () => {
      const path = new PathEstimate();
      path.measured(100, 0, path.received);
      for (const now of [0, 99]) path.arrived(1000, now);
      expect(path.rate).to.equal(0);
      path.arrived(1000, 100);
      expect(path.rate).to.equal(20);
    });
  });
});
