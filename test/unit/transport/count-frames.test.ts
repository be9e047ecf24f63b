import { expect } from 'chai';
import type { SessionCounters } from '../../../protocol/index.js';
import { FrameCounts } from '../../../transport/count-frames.js';

describe('FrameCounts', () => {
  const zero: SessionCounters = {
    finSent: 0,
    finReceived: 0,
    rstSent: 0,
    rstReceived: 0,
    lateFrames: 0,
    replayedBytes: 0,
  };

  it('tells what was added since the last time, and nothing for what stood still', () => {
    const counters = { ...zero };
    const counts = new FrameCounts(counters);
    const told: [string, number][] = [];
    const sink = {
      finSent: (count: number) => void told.push(['finSent', count]),
      replayedBytes: (count: number) => void told.push(['replayedBytes', count]),
      rstSent: (count: number) => void told.push(['rstSent', count]),
    };
    counters.finSent = 3;
    counters.replayedBytes = 1000;
    counts.tell(sink);
    counts.tell(sink);
    counters.finSent = 5;
    counts.tell(sink);
    expect(told).to.deep.equal([
      ['finSent', 3],
      ['replayedBytes', 1000],
      ['finSent', 2],
    ]);
  });

  it('begins at what the session has counted when it is made', () => {
    const counters = { ...zero, rstSent: 7 };
    const counts = new FrameCounts(counters);
    const told: number[] = [];
    counters.rstSent = 8;
    counts.tell({ rstSent: (count) => void told.push(count) });
    expect(told).to.deep.equal([1]);
  });

  it('does not save up what the sink does not take', () => {
    const counters = { ...zero };
    const counts = new FrameCounts(counters);
    counters.lateFrames = 4;
    counts.tell({});
    const told: number[] = [];
    counts.tell({ lateFrames: (count) => void told.push(count) });
    expect(told).to.deep.equal([]);
  });
});
