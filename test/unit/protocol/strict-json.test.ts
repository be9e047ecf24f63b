import { expect } from 'chai';
import fc from 'fast-check';
import { findAmbiguity } from '../../../protocol/wire/strict-json.js';

const NONE: ReadonlySet<string> = new Set();
const N: ReadonlySet<string> = new Set(['n', 'a.n']);

describe('JSON that two readers may understand differently', () => {
  it('is nothing that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(findAmbiguity(text, NONE)).to.equal(undefined);
      }),
    );
  });

  it('is an object with a name twice, wherever it stands and however the name is written', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue({ maxDepth: 3 }), fc.nat(3), (name, value, depth) => {
        const member = (escaped: boolean): string => {
          const units = [...Array(name.length).keys()].map((at) => name.charCodeAt(at));
          const escape = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
          return `${escaped ? `"${escape}"` : JSON.stringify(name)} : ${JSON.stringify(value)}`;
        };
        let text = `{${member(false)}, "other key \\" {": [1, {}], ${member(true)}}`;
        fc.pre(name !== 'other key " {');
        for (let level = 0; level < depth; level += 1) text = `{"x": [ ${text} ]}`;
        expect(findAmbiguity(text, NONE)).to.equal('an object has a name twice');
      }),
    );
  });

  for (const [written, whole] of [
    ['0', true],
    ['7', true],
    ['9007199254740992', true],
    ['-0', false],
    ['-1', false],
    ['1.0', false],
    ['1e0', false],
    ['1E+2', false],
  ] as const) {
    it(`is ${written} where a whole number is meant: ${whole ? 'no' : 'yes'}`, () => {
      const found = (text: string): boolean => findAmbiguity(text, N) !== undefined;
      expect(found(`{"n":${written}}`)).to.equal(!whole);
      expect(found(`{"a":{"x":[],"n": ${written} }}`)).to.equal(!whole);
      // Elsewhere everybody may write as they like.
      expect(
        found(`{"x":${written},"b":{"n":${written}},"a":{"a":{"n":${written}}},"c":[${written}]}`),
      ).to.equal(false);
    });
  }

  it('is no text, truth or nothing in the place of a number: that has another fault', () => {
    for (const value of ['"1.0"', 'true', 'false', 'null', '[]', '{}']) {
      expect(findAmbiguity(`{"n":${value}}`, N), value).to.equal(undefined);
    }
  });

  it('is found in time that grows with the text, also in one that is all depth', () => {
    const depth = 65_536;
    const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const nested = `${'{"a":'.repeat(20_000)}1.5${'}'.repeat(20_000)}`;
    const startedMs = performance.now();
    expect([findAmbiguity(deep, N), findAmbiguity(nested, N)]).to.deep.equal([undefined, undefined]);
    expect(performance.now() - startedMs).to.be.below(2000);
  });
});
