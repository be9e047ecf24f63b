import { expect } from 'chai';
import { parseOptions, UsageError } from '../../../bench/options.js';
import { planFor } from '../../../bench/plan.js';

describe('command line of the bench', () => {
  it('measures everything for everyone when nothing is named', () => {
    const { peers, measures, rounds, quick } = parseOptions([]);
    expect([...peers]).to.deep.equal(['direct', 'nowconnect', 'ssh', 'nginx', 'relay', 'hop']);
    expect([...measures]).to.deep.equal(['throughput', 'latency', 'opens', 'stall', 'memory', 'far']);
    expect(rounds).to.equal(undefined);
    expect(quick).to.equal(false);
  });

  it('splits --only into peers and measurements; a kind of which none is named stays whole', () => {
    const both = parseOptions(['--only', 'ssh,opens']);
    expect([...both.peers]).to.deep.equal(['ssh']);
    expect([...both.measures]).to.deep.equal(['opens']);
    expect(parseOptions(['--only', 'direct, ssh']).measures.size).to.equal(6);
  });

  it('refuses what it does not know', () => {
    for (const args of [
      ['--only', 'telnet'],
      ['--rounds', '0'],
      ['--rounds', '1.5'],
      ['--seed', 'x'],
      ['--fast'],
      ['x'],
    ]) {
      expect(() => parseOptions(args), args.join(' ')).to.throw(UsageError);
    }
  });

  it('runs the rounds asked for however long that takes, else within a budget of time', () => {
    const small = { quick: false, large: false };
    expect(planFor({ rounds: 3, ...small })).to.deep.include({ rounds: 3, budgetMs: Infinity });
    expect(planFor({ rounds: undefined, ...small }).budgetMs).to.be.at.most(600_000);
    expect(planFor({ rounds: undefined, quick: true, large: false }).budgetMs).to.be.at.most(90_000);
  });

  it('opens 9,000 idle streams only with --large', () => {
    const counts = (large: boolean): readonly number[] =>
      planFor({ rounds: 1, quick: false, large }).idleStreams;
    expect(counts(false)).to.deep.equal([1000, 5000]);
    expect(counts(true)).to.deep.equal([1000, 5000, 9000]);
  });
});
