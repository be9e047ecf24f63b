import { expect } from 'chai';
import { main } from '../../../cli/program.js';
import { ExitCode } from '../../../cli/exit-code.js';
import { codeSpans, readPage, section, tableRows } from './markdown.js';

const PAGE = readPage('docs/reference/command-line.md');
const INTRODUCTION = PAGE.prose.slice(0, PAGE.prose.indexOf('\n## '));

/** What `nowconnect WORDS` prints; the test fails when it does not end with 0. */
async function printed(...words: readonly string[]): Promise<string> {
  let text = '';
  const code = await main(words, {
    env: {},
    out: (part) => (text += part),
    err: (part) => (text += part),
    process: { on: () => expect.fail('a help listens to nothing'), off: () => expect.fail('nor this') },
  });
  expect(code, text).to.equal(0);
  return text;
}

/** `--config FILE`, `--once`: the options of a help text or of a table, without --help. */
function optionsOf(text: string): string[] {
  return [...text.matchAll(/^ {2}(--[a-z-]+(?: (?:[A-Z]+|a,b))?)(?= {2}|$)/gm)]
    .map((match) => match[1] ?? '')
    .toSorted();
}

const verbs = tableRows(INTRODUCTION).map(([verb = '']) => codeSpans(verb)[0] ?? '');

describe('docs/reference/command-line.md', () => {
  it('lists the verbs of nowconnect --help, and no other', async () => {
    const help = await printed('--help');
    const found = [...help.matchAll(/^ {2}([a-z]+)(?: +(init|token))?[ [].*$/gm)].map(([, verb = '', sub]) =>
      sub === undefined ? verb : `${verb} ${sub}`,
    );
    expect(verbs).to.not.be.empty;
    expect(verbs.toSorted()).to.deep.equal(found.toSorted());
  });

  for (const verb of verbs) {
    it(`has the options of "${verb}"`, async () => {
      const help = await printed(...verb.split(' '), '--help');
      const rows = tableRows(section(PAGE, `nowconnect ${verb}`)).map(
        ([option = '']) => codeSpans(option)[0] ?? '',
      );
      expect(rows.toSorted()).to.deep.equal(optionsOf(help));
    });
  }

  it('has the exit codes', () => {
    const rows = tableRows(section(PAGE, 'Exit codes')).map(([code]) => Number(code));
    expect(rows).to.deep.equal(Object.values(ExitCode));
  });
});
