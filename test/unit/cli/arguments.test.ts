import { expect } from 'chai';
import { readArguments, readInteger, type OptionKinds } from '../../../cli/arguments.js';
import { UsageError } from '../../../cli/errors.js';

const KINDS: OptionKinds = { config: 'text', json: 'flag', port: 'text' };

function failure(words: readonly string[], maxPositionals = 0): string {
  try {
    readArguments(words, KINDS, maxPositionals);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    return (error as Error).message;
  }
  return 'accepted';
}

describe('readArguments', () => {
  it('reads text options in both spellings, flags and words', () => {
    const args = readArguments(['a', '--config', 'hub.yaml', '--json', '--port=1', 'b'], KINDS, 2);
    expect(args.text('config')).to.equal('hub.yaml');
    expect(args.text('port')).to.equal('1');
    expect(args.flag('json')).to.equal(true);
    expect(args.flag('help')).to.equal(false);
    expect(args.positionals).to.deep.equal(['a', 'b']);
  });

  it('gives undefined for what was not said, and takes no flag for a text', () => {
    const args = readArguments(['--json'], KINDS, 0);
    expect(args.text('config')).to.equal(undefined);
    expect(args.text('json')).to.equal(undefined);
  });

  it('knows --help and -h for every command', () => {
    expect(readArguments(['--help'], {}, 0).flag('help')).to.equal(true);
    expect(readArguments(['-h', 'too', 'many'], {}, 0).flag('help')).to.equal(true);
  });

  it('takes what follows -- as words', () => {
    expect(readArguments(['--', '--json'], KINDS, 1).positionals).to.deep.equal(['--json']);
  });

  const refused: [string[], string][] = [
    [['--confg', 'x'], 'unknown option --confg; did you mean --config?'],
    [['--jsn'], 'unknown option --jsn; did you mean --json?'],
    [['--quux'], 'unknown option --quux'],
    [['-x'], 'unknown option -x'],
    [['--config'], '--config needs a value; write --config=VALUE when the value starts with "-"'],
    [['--config', '--json'], '--config needs a value; write --config=VALUE when the value starts with "-"'],
    [['--config='], '--config needs a value that is not empty'],
    [['--json=yes'], '--json takes no value'],
    [['--json', '--json'], '--json is given twice'],
    [['--config', 'a', '--config', 'b'], '--config is given twice'],
    [['--__proto__'], 'unknown option --__proto__'],
    [['word'], 'unexpected word "word"'],
  ];
  for (const [words, message] of refused) {
    it(`refuses ${words.join(' ')}`, () => {
      expect(failure(words)).to.equal(message);
    });
  }

  it('takes a value that starts with a dash when it is written with =', () => {
    expect(readArguments(['--config=-x'], KINDS, 0).text('config')).to.equal('-x');
  });
});

describe('readInteger', () => {
  it('reads a whole number within its bounds', () => {
    expect(readInteger('port', '1', 1, 65_535)).to.equal(1);
    expect(readInteger('port', '65535', 1, 65_535)).to.equal(65_535);
  });

  for (const text of ['0', '65536', '-1', '1.5', '1e3', ' 1', '0x10', '']) {
    it(`refuses "${text}"`, () => {
      expect(() => readInteger('port', text, 1, 65_535)).to.throw(
        UsageError,
        `--port must be a whole number from 1 to 65535, not "${text}"`,
      );
    });
  }
});
