import { expect } from 'chai';
import fc from 'fast-check';

import { didYouMean, editDistance } from '../../../config/did-you-mean.js';

const words = fc.stringMatching(/^[a-z_]{0,12}$/);

describe('editDistance', () => {
  const DISTANCES = [
    ['', '', 0],
    ['', 'abc', 3],
    ['bind', 'bind', 0],
    ['bnid', 'bind', 1],
    ['bin', 'bind', 1],
    ['bindd', 'bind', 1],
    ['bond', 'bind', 1],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ] as const;
  for (const [left, right, distance] of DISTANCES) {
    it(`is ${distance} from "${left}" to "${right}"`, () =>
      expect(editDistance(left, right)).to.equal(distance));
  }

  it('is the same both ways, 0 only for equal words, and at most the longer length', () => {
    fc.assert(
      fc.property(words, words, (left, right) => {
        const distance = editDistance(left, right);
        expect(editDistance(right, left)).to.equal(distance);
        expect(distance === 0).to.equal(left === right);
        expect(distance).to.be.within(
          Math.abs(left.length - right.length),
          Math.max(left.length, right.length),
        );
      }),
    );
  });

  it('is at most 1 after one edit', () => {
    fc.assert(
      fc.property(
        words,
        fc.nat(),
        fc.constantFrom('insert', 'delete', 'replace', 'swap'),
        (word, seed, edit) => {
          const at = word.length === 0 ? 0 : seed % word.length;
          const [head, tail] = [word.slice(0, at), word.slice(at)];
          const edited = {
            insert: `${head}x${tail}`,
            delete: head + tail.slice(1),
            replace: `${head}x${tail.slice(1)}`,
            swap: head + (tail[1] ?? '') + (tail[0] ?? '') + tail.slice(2),
          }[edit];
          expect(editDistance(word, edited)).to.be.at.most(1);
        },
      ),
    );
  });
});

describe('didYouMean', () => {
  const KEYS = ['bind', 'connector', 'allow_cidrs', 'idle_timeout_ms', 'host'];

  for (const [word, meant] of [
    ['bnd', 'bind'],
    ['conector', 'connector'],
    ['Connector', 'connector'],
    ['allow-cidrs', 'allow_cidrs'],
    ['allow_cidr', 'allow_cidrs'],
    ['idle_timeout', 'idle_timeout_ms'],
    ['allow', 'allow_cidrs'],
  ] as const) {
    it(`takes ${word} for ${meant}`, () => expect(didYouMean(word, KEYS)).to.equal(meant));
  }

  for (const word of ['zebra', 'x', '', 'b'.repeat(65)]) {
    it(`has no idea for "${word.slice(0, 10)}"`, () => expect(didYouMean(word, KEYS)).to.be.undefined);
  }

  it('prefers the nearest, then the first', () => {
    expect(didYouMean('posts', ['ports', 'post', 'posts'])).to.equal('posts');
    expect(didYouMean('poxt', ['port', 'post'])).to.equal('port');
  });

  it('does not choose between two continuations', () => {
    expect(didYouMean('health', ['health_host', 'health_port'])).to.be.undefined;
    expect(didYouMean('', ['_x'])).to.be.undefined;
  });

  it('gives one of the candidates or nothing, whatever the word', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(words), (word, candidates) => {
        const meant = didYouMean(word, candidates);
        if (meant !== undefined) expect(candidates).to.include(meant);
      }),
    );
  });

  it('always finds a candidate that is equal but for case', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{3,12}$/), (word) => {
        expect(didYouMean(word.toUpperCase(), ['zzzzzzzzzzzzzzz', word])).to.equal(word);
      }),
    );
  });
});
