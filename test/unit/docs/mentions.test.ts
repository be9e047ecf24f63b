import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { main } from '../../../cli/program.js';
import { allPages, codeSpans, type Page } from './markdown.js';
import { configKeys, metricWords, npmScripts, variables, words } from './known-names.js';

/** Pages with tests of their own, which also speak of what does not exist. */
const OTHERS = [
  'docs/reference/wire-protocol.md',
  'docs/reference/configuration.md',
  'test/vectors/README.md',
];
const PAGES = allPages().filter(({ path }) => !OTHERS.includes(path));

interface Mention {
  readonly where: string;
  readonly text: string;
}

/** What stands in code font on a page, and the blocks of commands and output. */
function codeOf(page: Page): Mention[] {
  const spans = codeSpans(page.prose).map((text) => ({ where: page.path, text }));
  const blocks = page.fences
    .filter(({ info }) => ['sh', 'console', 'text', 'ini', 'promql'].includes(info))
    .flatMap(({ line, text }) =>
      text.split('\n').map((part, index) => ({ where: `${page.path}:${line + 1 + index}`, text: part })),
    );
  return [...spans, ...blocks];
}

const ALERTS = 'docs/how-to/alerts.rules.yaml';
const alerts = readFileSync(ALERTS, 'utf8')
  .split('\n')
  .map((text, index) => ({ where: `${ALERTS}:${index + 1}`, text }));
const code = [...PAGES.flatMap(codeOf), ...alerts];
const show = ({ where, text }: Mention): string => `${where}: ${text}`;

/** The mentions of a pattern's first group that are not known. At least `least` must be found at all. */
function unknown(pattern: RegExp, isKnown: (name: string) => boolean, least: number): string[] {
  const found = code.flatMap((mention) =>
    [...mention.text.matchAll(pattern)].map((match) => ({ ...mention, name: match[1] ?? '' })),
  );
  expect(found.length, `mentions of ${String(pattern)}`).to.be.at.least(least);
  return found.filter(({ name }) => !isKnown(name)).map(show);
}

/** The help of a verb; undefined when there is no such verb. */
async function helpOf(verb: readonly string[]): Promise<string | undefined> {
  let out = '';
  const events = { on: () => events, off: () => events };
  const code = await main([...verb, '--help'], {
    env: {},
    out: (text) => (out += text),
    err: () => undefined,
    process: events as unknown as NodeJS.Process,
  });
  return code === 0 ? out : undefined;
}

describe('the names in the documentation', () => {
  it('of commands and options exist', async () => {
    const faults: string[] = [];
    let count = 0;
    for (const mention of code) {
      for (const [, verb = '', sub, rest = ''] of mention.text.matchAll(
        /(?:^|[\s(])nowconnect ([a-z]+)(?: (init|token)\b)?([^|;&()]*)/g,
      )) {
        count += 1;
        const help = await helpOf(sub === undefined ? [verb] : [verb, sub]);
        const options = rest.match(/--[a-z-]+/g) ?? [];
        if (help === undefined || options.some((option) => !help.includes(option)))
          faults.push(show(mention));
      }
    }
    expect(count).to.be.above(30);
    expect(faults).to.deep.equal([]);
  });

  it('of metrics exist', async () => {
    const { metrics } = await metricWords();
    const isKnown = (name: string): boolean =>
      metrics.has(name) || metrics.has(name.replace(/_(bucket|sum|count)$/, ''));
    expect(
      unknown(/(?<![\w/.])((?:nowconnect|process|nodejs)_[a-z_]*[a-z])(?![\w*])/g, isKnown, 40),
    ).to.deep.equal([]);
  });

  it('of variables exist', () => {
    const known = variables();
    const isKnown = (name: string): boolean =>
      known.has(name) || /^NC_TARGET_(<name>|[A-Za-z0-9_]+)_(HOST|PORT)$/.test(name);
    expect(unknown(/(?<![\w])((?:NC|NOWCONNECT)_[A-Za-z_<>]*[A-Za-z>])/g, isKnown, 30)).to.deep.equal([]);
  });

  it('of configuration keys exist', () => {
    const known = configKeys();
    const keys =
      /^((?:listeners\[\]|tunnel|limits|security|pdp|observability|targets|proxy|ha)(?:\.(?:[a-z_]+|<[a-z]+>))+)(?::.*)?$/g;
    expect(unknown(keys, (name) => known.has(name), 50)).to.deep.equal([]);
  });

  it('of events, reasons, fields and keys exist', async () => {
    const known = await words();
    expect(unknown(/^([a-z0-9]+(?:_[a-z0-9]+)+)(?::.*)?$/g, (name) => known.has(name), 100)).to.deep.equal(
      [],
    );
  });

  it('of files in the repository exist', () => {
    const paths =
      /^((?:agent|bench|cli|config|docs|hub|k8s|observability|protocol|scripts|systemd|test|transport)\/[\w./-]*)$/g;
    expect(unknown(paths, (name) => existsSync(name), 30)).to.deep.equal([]);
    expect(
      unknown(/(?<=\s|^)((?:scripts|systemd|k8s)\/[\w./-]+)/g, (name) => existsSync(name), 5),
    ).to.deep.equal([]);
  });

  it('of npm scripts exist', () => {
    const known = npmScripts();
    expect(unknown(/npm run (?:--silent )?([a-z:]+)/g, (name) => known.has(name), 5)).to.deep.equal([]);
  });

  it('are looked for in a way that finds a wrong one', async () => {
    expect(await helpOf(['nonsense'])).to.equal(undefined);
    expect(configKeys().has('limits.nonsense')).to.equal(false);
    expect((await words()).has('stream_nonsense')).to.equal(false);
  });
});
