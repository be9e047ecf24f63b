import { expect } from 'chai';
import { FairShare } from '../../../protocol/session/fair-share.js';

const ROUND_TRIP_MS = 10;

describe('the fair share of a path', () => {
  it('is not known before anybody has used up a window', () => {
    expect(new FairShare().rate).to.equal(Infinity);
  });

  it('is the mean rate of the streams, whatever their windows and however often each tells', () => {
    const share = new FairShare();
    // Three streams in 60 ms: 100, 200 and 300 bytes a millisecond.
    for (let now = 1; now <= 60; now++) {
      if (now % 60 === 0) share.windowUsed(now, 18_000, 60, 30.5);
      if (now % 20 === 0) share.windowUsed(now, 4000, 20, 30.5);
      if (now % 5 === 0) share.windowUsed(now, 500, 5, 30.5);
    }
    share.windowUsed(61, 100, 1, 30.5);
    expect(share.rate).to.be.closeTo(200, 1);
  });

  it('is taken over 20 ms at least, and over two round trips', () => {
    for (const [roundTripMs, spanMs] of [
      [1, 20],
      [50, 100],
    ] as const) {
      const share = new FairShare();
      share.windowUsed(spanMs - 1, 1000, 10, roundTripMs);
      expect(share.rate).to.equal(Infinity);
      share.windowUsed(spanMs, 1000, 10, roundTripMs);
      expect(share.rate).to.equal(100);
    }
  });

  it('follows what is so lately', () => {
    const share = new FairShare();
    share.windowUsed(20, 1000, 10, ROUND_TRIP_MS);
    share.windowUsed(39, 4000, 10, ROUND_TRIP_MS);
    expect(share.rate).to.equal(100);
    share.windowUsed(40, 4000, 10, ROUND_TRIP_MS);
    expect(share.rate).to.equal(400);
  });

  it('does not ask those that their own destination holds back', () => {
    const share = new FairShare();
    share.windowUsed(20, 1000, 10, ROUND_TRIP_MS);
    share.windowUsed(500, 1, 161, ROUND_TRIP_MS);
    expect(share.rate).to.equal(100);
    share.windowUsed(501, 1000, 160, ROUND_TRIP_MS);
    expect(share.rate).to.equal(6.25);
  });
});
