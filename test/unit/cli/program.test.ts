import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { packageVersion } from '../../../cli/version.js';
import { run } from './fake-io.js';

const VERBS = ['hub', 'agent', 'demo', 'check', 'schema', 'keys init', 'keys token', 'health'];
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

describe('nowconnect', () => {
  for (const word of ['--help', '-h', 'help']) {
    it(`prints every verb for ${word}`, async () => {
      const { code, stdout, stderr } = await run([word]);
      expect([code, stderr]).to.deep.equal([0, '']);
      for (const verb of VERBS) expect(stdout).to.match(new RegExp(`^  ${verb.replace(' ', '\\s+')}`, 'm'));
    });
  }

  it('prints its version, that of package.json', async () => {
    expect(await run(['--version'])).to.deep.equal({
      code: 0,
      stdout: `nowconnect ${version}\n`,
      stderr: '',
    });
  });

  for (const verb of [...VERBS, 'keys']) {
    it(`prints its version for ${verb} --version, without doing what the verb does`, async () => {
      expect(await run([...verb.split(' '), '--version'])).to.deep.equal({
        code: 0,
        stdout: `nowconnect ${version}\n`,
        stderr: '',
      });
    });
  }

  for (const verb of VERBS) {
    for (const option of ['--help', '-h']) {
      it(`explains ${verb} for ${option}, in at most 100 columns`, async () => {
        const { code, stdout, stderr } = await run([...verb.split(' '), option]);
        expect([code, stderr]).to.deep.equal([0, '']);
        expect(stdout.startsWith(`Usage: nowconnect ${verb}`)).to.equal(true);
        expect(stdout).to.include('--help');
        for (const line of stdout.split('\n')) expect(line.length).to.be.at.most(104);
      });
    }
  }

  it('explains keys', async () => {
    expect((await run(['keys', '--help'])).stdout).to.match(/^Usage: nowconnect keys init\|token/);
  });

  const refused: [string[], string, string][] = [
    [[], 'nowconnect: a verb is missing', 'nowconnect --help'],
    [['hubb'], 'nowconnect: unknown verb "hubb"; did you mean hub?', 'nowconnect --help'],
    [['helth'], 'nowconnect: unknown verb "helth"; did you mean health?', 'nowconnect --help'],
    [['xyzzy'], 'nowconnect: unknown verb "xyzzy"', 'nowconnect --help'],
    [['toString'], 'nowconnect: unknown verb "toString"', 'nowconnect --help'],
    [
      ['--config', 'x'],
      'nowconnect: unknown option --config; options come after the verb',
      'nowconnect --help',
    ],
    [['keys'], 'nowconnect: keys needs init or token', 'nowconnect keys --help'],
    [
      ['keys', 'tokn'],
      'nowconnect: unknown verb "keys tokn"; did you mean keys token?',
      'nowconnect keys --help',
    ],
    [
      ['hub', '--confg', 'x'],
      'nowconnect: unknown option --confg; did you mean --config?',
      'nowconnect hub --help',
    ],
    [
      ['hub'],
      'nowconnect: hub needs --config FILE, or NC_CONFIG in the environment',
      'nowconnect hub --help',
    ],
    [['check'], 'nowconnect: check needs hub or agent, then a FILE', 'nowconnect check --help'],
    [
      ['check', 'hub'],
      'nowconnect: check hub needs a FILE, or NC_CONFIG in the environment',
      'nowconnect check --help',
    ],
    [['schema', 'hubs'], 'nowconnect: schema needs hub or agent', 'nowconnect schema --help'],
    [['keys', 'init'], 'nowconnect: keys init needs --dir DIR', 'nowconnect keys init --help'],
    [
      ['keys', 'token', '--dir', 'x'],
      'nowconnect: keys token needs --agent-id ID',
      'nowconnect keys token --help',
    ],
    [
      ['keys', 'token', '--agent-id', 'x'],
      'nowconnect: keys token needs --dir DIR',
      'nowconnect keys token --help',
    ],
    [['health', 'cloud'], 'nowconnect: health asks hub or agent, not "cloud"', 'nowconnect health --help'],
    [
      ['health', '--port', '99999'],
      'nowconnect: --port must be a whole number from 1 to 65535, not "99999"',
      'nowconnect health --help',
    ],
  ];
  for (const [argv, message, hint] of refused) {
    it(`ends with 2 and says what is wrong with: ${argv.join(' ') || '(nothing)'}`, async () => {
      expect(await run(argv)).to.deep.equal({ code: 2, stdout: '', stderr: `${message}\nTry: ${hint}\n` });
    });
  }
});

describe('packageVersion', () => {
  it('is 0.0.0 where there is no package.json of ours', () => {
    expect(packageVersion(pathToFileURL('/nowhere/a/b/c/d/e.js').href)).to.equal('0.0.0');
  });
});
