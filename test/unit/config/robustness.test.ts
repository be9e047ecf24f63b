import { expect } from 'chai';
import fc from 'fast-check';

import { ConfigError, MAX_ISSUES } from '../../../config/issue.js';
import { stringifyYaml } from '../../../config/yaml.js';
import { agent, hub, SMALL_AGENT, SMALL_HUB } from './support.js';

/** Loads or throws a ConfigError with findings; anything else fails the test. */
function loadsOrExplains(load: (text: string) => unknown, text: string): void {
  try {
    load(text);
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    const { issues } = error as ConfigError;
    expect(issues.length).to.be.within(1, MAX_ISSUES);
    for (const { line, column, message } of issues) {
      expect(message).to.not.equal('');
      if (line !== undefined) expect(line).to.be.within(1, text.split('\n').length);
      if (column !== undefined) expect(column).to.be.at.least(1);
    }
  }
}

const LOADERS = [
  ['hub', hub, SMALL_HUB],
  ['agent', agent, SMALL_AGENT],
] as const;

describe('the loaders, whatever the file holds,', () => {
  for (const [name, load, complete] of LOADERS) {
    it(`load or explain any text (${name})`, () => {
      fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => loadsOrExplains(load, text)));
    });

    it(`load or explain any data (${name})`, () => {
      const keys = fc.constantFrom(
        'tunnel',
        'targets',
        'listeners',
        'security',
        'limits',
        'host',
        'tls',
        '__proto__',
      );
      const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
        tree: fc.oneof(
          { depthSize: 'small' },
          fc.constantFrom(null, true, 0, -1, 1.5, Number.NaN, '', 'off', '10.0.0.0/8', '[::1]:1', 'wss://h'),
          fc.array(tie('tree'), { maxLength: 3 }),
          fc.dictionary(fc.oneof(keys, fc.string({ maxLength: 5 })), tie('tree'), { maxKeys: 4 }),
        ),
      }));
      fc.assert(
        fc.property(tree, (data) => loadsOrExplains(load, stringifyYaml(data))),
        { numRuns: 300 },
      );
    });

    it(`load or explain a complete file with a piece cut out or put in (${name})`, () => {
      const piece = fc.constantFrom(
        '',
        ' ',
        '\n',
        '- ',
        '{',
        ']',
        ':',
        '"',
        '&a ',
        '*a',
        '!x ',
        '#',
        '\t',
        '0',
        '~',
        '? ',
      );
      const at = fc.nat({ max: complete.length });
      fc.assert(
        fc.property(at, fc.nat({ max: 12 }), piece, (from, length, inserted) => {
          loadsOrExplains(load, complete.slice(0, from) + inserted + complete.slice(from + length));
        }),
        { numRuns: 500 },
      );
    });
  }

  it('reports at most 50 findings of a file with thousands', () => {
    const text = Array.from({ length: 3000 }, (_, index) => `zebra${index}: 1`).join('\n');
    try {
      hub(text);
      expect.fail('the file was accepted');
    } catch (error) {
      expect(error).to.be.instanceOf(ConfigError);
      const { issues, omitted } = error as ConfigError;
      expect(issues).to.have.length(MAX_ISSUES);
      expect(omitted).to.be.greaterThan(2900);
    }
  });
});
