import { expect } from 'chai';
import { PathEstimate } from '../../../protocol/session/path-estimate.js';

describe('what is known of the path', () => {
  it('is nothing before the first round trip, and then the shortest and the latest one of the link', () => {
    const path = new PathEstimate();
    expect([path.roundTripMs, path.latestMs, path.samples, path.rate]).to.deep.equal([0, 0, 0, 0]);
    for (const ms of [5, 3, 9]) path.measured(ms, true, 10);
    expect([path.roundTripMs, path.latestMs, path.samples]).to.deep.equal([3, 9, 3]);
  });

  it('begins anew on another link, but for the round trip, which counts until the first one there', () => {
    const path = new PathEstimate();
    for (let n = 0; n < 7; n++) path.measured(3, true, 10);
    for (const now of [0, 20]) path.arrived(1000, now);
    expect([path.rate, path.peak]).to.deep.equal([50, 50]);
    path.newLink();
    expect([path.roundTripMs, path.samples, path.rate, path.peak]).to.deep.equal([3, 0, 0, 0]);
    path.measured(70, true, 10);
    expect(path.roundTripMs).to.equal(70);
    for (let n = 0; n < 7; n++) path.measured(90, true, 80);
    expect(path.roundTripMs, 'one of the eight was shorter').to.equal(70);
  });

  it('does not count the time between two links', () => {
    const path = new PathEstimate();
    for (const now of [0, 10]) path.arrived(1000, now);
    path.newLink();
    for (const now of [10_000, 10_020]) path.arrived(1000, now);
    expect(path.rate).to.equal(50);
  });

  it('follows a path that gets longer: when eight round trips with little under way are too long', () => {
    const path = new PathEstimate();
    path.measured(1, false, 2);
    for (const ms of [50, 51, 49, 60, 52, 53, 54]) path.measured(ms, true, 2);
    expect(path.roundTripMs).to.equal(1);
    path.measured(50, true, 2);
    expect(path.roundTripMs).to.equal(49);
    path.measured(2, false, 80);
    expect(path.roundTripMs, 'a shorter one counts at once').to.equal(2);
  });

  it('is not misled by one short round trip less, by what queued, nor by what is allowed for', () => {
    const path = new PathEstimate();
    path.measured(1, false, 2);
    for (const ms of [50, 50, 50, 1.5, 50, 50, 50, 50]) path.measured(ms, true, 2);
    for (let n = 0; n < 100; n++) path.measured(50, false, 2);
    for (let n = 0; n < 100; n++) path.measured(2, true, 2);
    expect(path.roundTripMs).to.equal(1);
  });

  describe('its rate', () => {
    /** A span of 20 ms, or as long as is said, in which so many bytes arrived. */
    function span(path: PathEstimate, bytes: number, { held = true, ms = 20 } = {}): void {
      path.begin();
      path.arrived(1, 0);
      if (held) path.heldBack();
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
      expect(path.peak).to.equal(200);
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

    it('is taken over a round trip where that is longer', () => {
      const path = new PathEstimate();
      path.measured(100, false, 0);
      for (const now of [0, 99]) path.arrived(1000, now);
      expect(path.rate).to.equal(0);
      path.arrived(1000, 100);
      expect(path.rate).to.equal(20);
    });
  });
});
