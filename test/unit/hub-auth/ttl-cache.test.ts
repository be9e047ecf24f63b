import { expect } from 'chai';
import { TtlCache } from '../../../hub/auth/ttl-cache.js';

describe('TTL cache', () => {
  it('gives a value back until its time is over', () => {
    const cache = new TtlCache<number>(10, 1000);
    cache.set('a', 1, 0);
    expect(cache.get('a', 999)).to.equal(1);
    expect(cache.get('a', 1000)).to.equal(undefined);
    expect(cache.size).to.equal(0);
  });

  it('does not live longer by being used', () => {
    const cache = new TtlCache<number>(10, 1000);
    cache.set('a', 1, 0);
    for (let now = 0; now < 1000; now += 100) cache.get('a', now);
    expect(cache.get('a', 1000)).to.equal(undefined);
  });

  it('drops the least recently used entry when it is full', () => {
    const cache = new TtlCache<number>(2, 1000);
    cache.set('a', 1, 0);
    cache.set('b', 2, 0);
    cache.get('a', 1);
    cache.set('c', 3, 2);
    expect([cache.get('a', 3), cache.get('b', 3), cache.get('c', 3)]).to.deep.equal([1, undefined, 3]);
  });

  it('never holds more than its bound', () => {
    const cache = new TtlCache<number>(100, 1000);
    for (let i = 0; i < 10_000; i += 1) cache.set(`k${i % 5000}`, i, i);
    expect(cache.size).to.equal(100);
  });

  it('keeps nothing with a time of 0', () => {
    const cache = new TtlCache<boolean>(10, 0);
    cache.set('a', true, 0);
    expect(cache.size).to.equal(0);
    expect(cache.get('a', 0)).to.equal(undefined);
  });

  it('keeps false apart from nothing', () => {
    const cache = new TtlCache<boolean>(10, 1000);
    cache.set('a', false, 0);
    expect(cache.get('a', 1)).to.equal(false);
    cache.clear();
    expect(cache.get('a', 1)).to.equal(undefined);
  });
});
