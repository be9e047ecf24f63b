import { expect } from 'chai';

import { parseYaml, stringifyYaml } from '../../../config/yaml.js';
import { configError, refusals } from './support.js';

const parse = (text: string) => parseYaml(text, 'f.yaml');

describe('parseYaml', () => {
  it('gives plain data', () =>
    expect(parse('a: 1\nb: [x, { c: true }]\n').data).to.deep.equal({ a: 1, b: ['x', { c: true }] }));

  it('reads "off" as text, as YAML 1.2 has it, even when the file claims to be YAML 1.1', () => {
    expect(parse('a: off').data).to.deep.equal({ a: 'off' });
    expect(parse('%YAML 1.1\n---\na: off\nb: 10:20').data).to.deep.equal({ a: 'off', b: '10:20' });
  });

  it('gives each use of an anchor a copy of its own', () => {
    const { data } = parse('a: &x { h: 1 }\nb: *x');
    const { a, b } = data as { a: { h: number }; b: { h: number } };
    a.h = 2;
    expect(b.h).to.equal(1);
  });

  it('keeps "__proto__" an ordinary key', () => {
    const { data } = parse('__proto__: { polluted: 1 }');
    expect(Object.keys(data as object)).to.deep.equal(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).to.be.undefined;
  });

  const FAULTS = [
    ['a key given twice', 'a: 1\nb: 2\na: 3', 'f.yaml:3:1: the key "a" is given twice'],
    ['a key given twice deep inside', 'a:\n  - b: 1\n    b: 2', 'f.yaml:3:5: the key "b" is given twice'],
    ['a tab as indentation', 'a:\n\tb: 1', 'f.yaml:2:1: a tab is used'],
    ['a second document', 'a: 1\n---\nb: 2', 'f.yaml:2:1: there is a second YAML document'],
    ['a tag', 'a: !!js/function x', 'f.yaml:1:4: YAML tags'],
    ['a known tag that is no plain value', 'a: !!set { b }', 'f.yaml:1:4: YAML tags'],
    ['an anchor that does not exist', 'a: *nope', 'f.yaml:1:4: the anchor "nope" is not defined'],
    ['an anchor that contains itself', 'a: &x { b: *x }', 'f.yaml:1:12: the anchor "x" contains itself'],
    ['a key that is a list', '[a]: 1', 'f.yaml:1:1: a key is not plain text'],
    ['a reserved character', 'a: @x', 'f.yaml:1:4: a value starts with a reserved character'],
    ['an unknown escape', 'a: "\\q"', 'f.yaml:1:5: a text in double quotes has an unknown escape'],
    ['an open bracket', 'a: [1, 2\nb: 3', 'f.yaml:2:1: '],
    ['an open quote', 'a: "x\nb: 1', 'f.yaml:2:'],
    ['a colon too many', 'a: b: c', 'f.yaml:1:4: a key stands where only a value can'],
    ['a line without a colon', 'a: 1\nfoo\n', 'f.yaml:2:1: '],
    ['a stray bracket', 'a: 1\n]', 'f.yaml:2:1: this is not valid YAML (UNEXPECTED_TOKEN)'],
    ['a list as the root', '- a', 'f.yaml:1:1: is not a mapping'],
    ['a word as the root', '\nhello', 'f.yaml:2:1: is not a mapping'],
    ['an empty file', '', 'f.yaml: is empty'],
    ['a file of comments', '# nothing\n', 'f.yaml: is empty'],
    ['nothing but null', '~', 'f.yaml: is empty'],
  ] as const;
  for (const [title, text, start] of FAULTS) {
    it(`refuses ${title}`, () => {
      const [first = ''] = refusals(() => parse(text));
      expect(first.slice(0, start.length)).to.equal(start);
    });
  }

  it('reports every syntax error at once', () => {
    const found = refusals(() => parse('a: 1\na: 2\nb: @x\n'));
    expect(found.map((line) => line.slice(0, 11))).to.include.members(['f.yaml:2:1:', 'f.yaml:3:4:']);
  });

  it('repeats nothing of the text around a syntax error', () => {
    const secrets = [
      'password: "S3CRET\nx: 1',
      'a: 1\n}S3CRET',
      'a: @S3CRET',
      'a: "\\qS3CRET"',
      'a: !S3CRET b',
      '{S3CRET',
    ];
    for (const text of secrets) {
      expect(configError(() => parse(text)).format()).to.not.include('S3CRET');
    }
  });
});

describe('parseYaml against hostile files', () => {
  const DEEP = 'nested too deeply';
  const stairs = Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');

  for (const [title, text, reason] of [
    ['a million open brackets', '['.repeat(1_000_000), DEEP],
    ['a million open braces', '{a: '.repeat(250_000), DEEP],
    ['lists in lists on one line', '- '.repeat(500_000), DEEP],
    ['keys in keys on one line', '? '.repeat(500_000), DEEP],
    ['a staircase of mappings', stairs, DEEP],
    ['a billion laughs', laughs(), 'repeats anchors too often'],
    ['too many values', `a: [${'1,'.repeat(200_001)}]`, 'holds too many values'],
  ] as const) {
    it(`refuses ${title}`, () => expect(configError(() => parse(text)).format()).to.include(reason)).timeout(
      20_000,
    );
  }

  it('takes 5,000 keys in one mapping without comparing each with each', () => {
    const text = Array.from({ length: 5000 }, (_, index) => `k${index}: 1`).join('\n');
    expect(Object.keys(parse(text).data as object)).to.have.length(5000);
  });

  it('takes a long flat list on one line', () => {
    const text = `a: [${'{ b: 1 }, '.repeat(500)}]`;
    expect(() => parse(text)).to.not.throw();
  });

  function laughs(): string {
    const levels = Array.from(
      { length: 10 },
      (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(', ')}]`,
    );
    return ['l0: &l0 [ha]', ...levels].join('\n');
  }
});

describe('the position of a key path', () => {
  const source = parse('a:\n  - b: 1\n    c: [x, y]\n  - 7\nd: &d { e: 1 }\nf: *d\ng:\n');
  for (const [path, part, line, column] of [
    [['a'], 'key', 1, 1],
    [['a', 0, 'b'], 'key', 2, 5],
    [['a', 0, 'b'], 'value', 2, 8],
    [['a', 0, 'c', 1], 'value', 3, 12],
    [['a', 1], 'value', 4, 5],
    [['a', 0, 'missing'], 'key', 2, 5],
    [['a', 9], 'value', 1, 1],
    [['d', 'e'], 'value', 5, 12],
    [['f', 'e'], 'value', 5, 12],
    [['g', 'h', 'i'], 'value', 7, 1],
    [['nowhere'], 'value', 1, 1],
    [[], 'value', 1, 1],
  ] as const) {
    it(`${JSON.stringify(path)} (${part}) is ${line}:${column}`, () =>
      expect(source.position(path, part)).to.deep.equal({ line, column }));
  }
});

describe('stringifyYaml', () => {
  it('writes text that YAML 1.1 readers would take for something else in quotes', () =>
    expect(stringifyYaml({ accept: 'off', same: [[1], [1]] })).to.include('accept: "off"'));
  it('writes a shared part out each time', () => {
    const shared = [1];
    expect(stringifyYaml({ a: shared, b: shared })).to.equal('a:\n  - 1\nb:\n  - 1\n');
  });
});
