import { expect } from 'chai';

import { ConfigError, formatIssue, MAX_ISSUES, type ConfigIssue } from '../../../config/issue.js';
import { formatPath, listWords, quote } from '../../../config/text.js';

const issue: ConfigIssue = {
  file: 'hub.yaml',
  line: 3,
  column: 5,
  path: 'tunnel.port',
  message: 'is wrong',
  hint: 'write 1',
};

describe('formatIssue', () => {
  it('puts file, line, column, key, fault and repair on one line', () =>
    expect(formatIssue(issue)).to.equal('hub.yaml:3:5: tunnel.port: is wrong; write 1'));
  it('leaves out what is not there', () =>
    expect(formatIssue({ ...issue, line: undefined, column: undefined, path: '', hint: '' })).to.equal(
      'hub.yaml: is wrong',
    ));
});

describe('ConfigError', () => {
  it('keeps 50 issues and counts the rest', () => {
    const error = new ConfigError(Array.from({ length: 60 }, (_, line) => ({ ...issue, line })));
    expect(error.issues).to.have.length(MAX_ISSUES);
    expect(error.omitted).to.equal(10);
    expect(error.format().split('\n')).to.have.length(51);
    expect(error.format()).to.match(/… and 10 more$/);
  });

  it('says nothing of more when there are none', () => {
    const error = new ConfigError([issue]);
    expect(error.format()).to.equal(formatIssue(issue));
    expect(error.message).to.equal(error.format());
    expect(error.name).to.equal('ConfigError');
  });
});

describe('quote', () => {
  it('cuts long values', () => expect(quote('a'.repeat(100))).to.equal(`"${'a'.repeat(64)}…"`));
  it('escapes control characters', () => expect(quote('a\n\u001b[31m')).to.equal('"a\\n\\u001b[31m"'));
  it('replaces line separators and DEL', () => expect(quote('a\u2028\u007f\u0085b')).to.equal('"a???b"'));
  it('shows numbers and lists as they are written', () => {
    expect(quote(5)).to.equal('5');
    expect(quote([1, 2])).to.equal('[1,2]');
  });
  it('has a word for nothing', () => expect(quote(undefined)).to.equal('nothing'));
});

describe('formatPath', () => {
  it('joins keys with dots and indexes with brackets', () =>
    expect(formatPath(['listeners', 0, 'bind'])).to.equal('listeners[0].bind'));
  it('quotes a key that is no plain word', () =>
    expect(formatPath(['targets', 'a.b', 'port'])).to.equal('targets["a.b"].port'));
});

describe('listWords', () => {
  it('lists none, one, two and three', () => {
    expect(listWords([])).to.equal('');
    expect(listWords(['a'])).to.equal('a');
    expect(listWords(['a', 'b'])).to.equal('a or b');
    expect(listWords(['a', 'b', 'c'], 'and')).to.equal('a, b and c');
  });
});
