import { expect } from 'chai';
import type { PeerName } from '../../../bench/peers/peer.js';
import { measured, ratio, summary, type RunResult, type Sample } from '../../../bench/results.js';
import { report } from '../../../bench/table.js';
import { decades, ticks } from '../../../bench/svg-parts.js';

function sample(round: number, peer: PeerName, values: Sample['values']): Sample {
  return { round, peer, measure: 'throughput', values };
}

const RESULT: RunResult = {
  startedAt: '2026-01-01T00:00:00.000Z',
  seconds: 12,
  seed: 3,
  rounds: 3,
  environment: {
    product: '1.2.3',
    commit: undefined,
    node: 'v20.19.0',
    nodeOpenssl: '3.0.0',
    ssh: 'OpenSSH',
    nginx: 'nginx',
    cores: 2,
    cpu: 'a processor',
    memoryGib: 4,
    kernel: '6.1',
    loadAverage: 0.1,
    daemonLogLevel: 'warn',
  },
  peers: [
    { name: 'direct', label: 'direct' },
    { name: 'nowconnect', label: 'NowConnect' },
    { name: 'ssh', label: 'ssh -R' },
  ],
  notes: ['nginx: nothing there'],
  samples: [
    sample(0, 'ssh', { up1: 100, up64fair: 0.9 }),
    sample(0, 'nowconnect', { up1: 50 }),
    sample(1, 'ssh', { up1: 400 }),
    sample(1, 'nowconnect', { up1: 100 }),
    sample(2, 'nowconnect', { up1: 900 }),
  ],
  failures: [{ round: 2, peer: 'ssh', measure: 'throughput', error: 'it broke' }],
};

describe('results of the bench', () => {
  it('gives median, least and most of the rounds that have a value', () => {
    expect(summary(RESULT, 'nowconnect', 'up1')).to.deep.equal({ median: 100, min: 50, max: 900, count: 3 });
    expect(summary(RESULT, 'direct', 'up1')).to.equal(undefined);
  });

  it('takes ratios within a round, and leaves a round out in which one of the two is missing', () => {
    expect(ratio(RESULT, 'nowconnect', 'ssh', 'up1')).to.deep.equal({
      median: 0.375,
      min: 0.25,
      max: 0.5,
      count: 2,
    });
  });

  it('lists only metrics with a value', () => {
    expect(measured(RESULT).map(({ id }) => id)).to.deep.equal(['up1', 'up64fair']);
  });

  it('prints values, ratios, what was left out and what failed', () => {
    const text = report(RESULT);
    expect(text).to.match(/^1 up, MB\/s\s+–\s+100 \(50–900\)\s+250 \(100–400\)$/m);
    expect(text).to.match(/^ratio to ssh -R/m);
    expect(text).to.match(/^1 up, MB\/s\s+–\s+0\.38 \(0\.25–0\.50\)$/m);
    // Nothing of direct was measured: there is nothing to compare with.
    expect(text).not.to.include('ratio to direct');
    expect(text).to.include('left out: nginx: nothing there');
    expect(text).to.include('FAILED in round 3: throughput, ssh: it broke');
  });

  it('draws axes that hold every value', () => {
    expect(ticks(430)).to.deep.equal([0, 100, 200, 300, 400, 500]);
    expect(ticks(7)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(decades(17, 4000)).to.deep.equal([10, 100, 1000, 10000]);
  });
});
