import { expect } from 'chai';
import { PathEstimate } from '../../../protocol/session/path-estimate.js';

/** One stream after another uses up its window each 100 ms, and everybody together takes `rate` bytes a millisecond. */
class Traffic {
  readonly path = new PathEstimate();
  now = 0;

  run(ms: number, rate: number, elapsedMs = 100): void {
    for (const until = this.now + ms; this.now < until;) {
      this.now += 50;
      this.path.consumed(50 * rate);
      this.path.windowUsed(this.now, elapsedMs);
    }
  }
}

describe('what is known of the path', () => {
  it('is nothing before the first round trip, and then the shortest one of the link', () => {
    const path = new PathEstimate();
    expect([path.roundTripMs, path.samples]).to.deep.equal([0, 0]);
    for (const ms of [5, 3, 9]) path.measured(ms);
    expect([path.roundTripMs, path.samples]).to.deep.equal([3, 3]);
  });

  it('begins anew on another link, and keeps what it knew until the first round trip there', () => {
    const path = new PathEstimate();
    path.measured(3);
    path.newLink();
    expect([path.roundTripMs, path.samples]).to.deep.equal([3, 0]);
    path.measured(70);
    expect(path.roundTripMs).to.equal(70);
  });

  describe('when round trips get longer while streams are held back', () => {
    function longer(): Traffic {
      const traffic = new Traffic();
      traffic.path.measured(1);
      traffic.path.measured(100);
      traffic.run(200, 10);
      expect(traffic.path.roundTripMs).to.equal(1);
      traffic.run(50, 10);
      expect(traffic.path.roundTripMs, 'on trial').to.equal(100);
      return traffic;
    }

    it('believes it when everybody together gets more through with larger windows, and less again with small ones', () => {
      const traffic = longer();
      traffic.run(250, 12);
      traffic.run(250, 15);
      expect(traffic.path.roundTripMs, 'windows shrink').to.equal(1);
      traffic.run(250, 15);
      traffic.run(250, 10);
      // Believed, not only tried: a shorter round trip counts at once.
      traffic.path.measured(60);
      expect(traffic.path.roundTripMs).to.equal(60);
    });

    it('takes it for our own queue when nobody does, and asks again ten seconds later', () => {
      const traffic = longer();
      traffic.run(500, 13);
      expect(traffic.path.roundTripMs).to.equal(1);
      traffic.run(9750, 13);
      expect(traffic.path.roundTripMs).to.equal(1);
      traffic.run(250, 13);
      expect(traffic.path.roundTripMs, 'on trial again').to.equal(100);
    });

    it('does not believe a gain that stays when the windows are small again', () => {
      const traffic = longer();
      traffic.run(250, 12);
      traffic.run(250, 15);
      traffic.run(500, 15);
      traffic.path.measured(60);
      expect(traffic.path.roundTripMs).to.equal(1);
      traffic.run(9750, 15);
      expect(traffic.path.roundTripMs).to.equal(1);
      traffic.run(250, 15);
      expect(traffic.path.roundTripMs, 'on trial again').to.equal(60);
    });

    it('does not judge over a pause', () => {
      const traffic = longer();
      traffic.now += 5000;
      traffic.run(50, 1000);
      expect(traffic.path.roundTripMs).to.equal(1);
    });

    it('is not asked by streams that have time, nor by those that grow anyway', () => {
      for (const elapsedMs of [201, 2]) {
        const traffic = new Traffic();
        traffic.path.measured(1);
        traffic.path.measured(100);
        traffic.run(3000, 10, elapsedMs);
        expect(traffic.path.roundTripMs).to.equal(1);
      }
    });
  });
});
