import { expect } from 'chai';
import { median, random, shuffled } from '../../../bench/statistics.js';

describe('statistics of the bench', () => {
  it('takes the middle, or the mean of the two middle ones', () => {
    expect(median([5, 1, 9])).to.equal(5);
    expect(median([4, 1, 2, 9])).to.equal(3);
    expect(median([])).to.be.NaN;
  });

  it('shuffles the same way for the same seed, and keeps every item', () => {
    const items = ['a', 'b', 'c', 'd', 'e', 'f'];
    const first = shuffled(items, random(7));
    expect(shuffled(items, random(7))).to.deep.equal(first);
    expect([...first].sort()).to.deep.equal(items);
    const orders = new Set([1, 2, 3, 4, 5].map((seed) => shuffled(items, random(seed)).join('')));
    expect(orders.size).to.be.greaterThan(1);
  });
});
