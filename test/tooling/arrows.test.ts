import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect } from 'chai';

/** A planted violation: the files that commit it and the rule that must name the first of them. */
interface Planted {
  readonly rule: string;
  readonly files: Readonly<Record<string, string>>;
}

const uses = (module: string): string => `import * as used from '${module}';\nexport const user = used;\n`;
const LEAF = 'export const leaf = 1;\n';

/** What each folder must not import, as [from, to]. */
const FORBIDDEN_ARROWS = [
  ['cli', 'transport'],
  ['cli', 'protocol'],
  ['hub', 'agent'],
  ['hub', 'cli'],
  ['agent', 'hub'],
  ['agent', 'cli'],
  ['transport', 'config'],
  ['transport', 'observability'],
  ['transport', 'hub'],
  ['protocol', 'transport'],
  ['protocol', 'config'],
  ['config', 'protocol'],
  ['config', 'observability'],
  ['observability', 'config'],
  ['observability', 'transport'],
] as const;

const LIBRARIES = ['ajv', 'jose', 'node-forge', 'pino', 'prom-client', 'proxy-agent', 'yaml'];

const PLANTED: readonly Planted[] = [
  ...FORBIDDEN_ARROWS.map(([from, to]) => ({
    rule: `arrow-${from}`,
    files: { [`${from}/to-${to}.ts`]: uses(`../${to}/leaf.js`) },
  })),
  { rule: 'arrow-agent', files: { 'agent/to-hub-type.ts': "export type { Leaf } from '../hub/leaf.js';\n" } },
  { rule: 'arrow-hub', files: { 'hub/to-test.ts': uses('../test/leaf.js') } },
  ...LIBRARIES.map((library) => ({
    rule: `one-importer-${library}`,
    files: { [`hub/first-${library}.ts`]: uses(library), [`agent/second-${library}.ts`]: uses(library) },
  })),
  { rule: 'protocol-is-sans-io', files: { 'protocol/io.ts': uses('node:net') } },
  { rule: 'protocol-is-sans-io', files: { 'protocol/package.ts': uses('yaml') } },
  { rule: 'declared-packages-only', files: { 'hub/dev-package.ts': uses('chai') } },
  // The oracle of the tests.
  { rule: 'declared-packages-only', files: { 'transport/oracle.ts': uses('ws') } },
  { rule: 'no-unresolved', files: { 'hub/missing.ts': uses('./not-there.js') } },
  {
    rule: 'no-cycles',
    files: {
      'hub/cycle-a.ts': "export type { B } from './cycle-b.js';\nexport type A = 1;\n",
      'hub/cycle-b.ts': "import type { A } from './cycle-a.js';\nexport type B = A;\n",
    },
  },
];

/** A tree that keeps every rule: one allowed import for each arrow, one importer for one library. */
const CLEAN: Readonly<Record<string, string>> = {
  'cli/main.ts': ['hub', 'agent', 'config', 'observability']
    .map((to) => `export * from '../${to}/leaf.js';`)
    .join('\n'),
  'hub/main.ts': ['transport', 'config', 'observability', 'protocol']
    .map((to) => `export * from '../${to}/leaf.js';`)
    .join('\n'),
  'agent/main.ts': "export * from '../transport/leaf.js';\nexport * from '../protocol/leaf.js';\n",
  'transport/main.ts': "export * from '../protocol/leaf.js';\nexport { parse } from 'yaml';\n",
  'protocol/main.ts': "export * from './leaf.js';\n",
  ...Object.fromEntries(
    ['agent', 'cli', 'config', 'hub', 'observability', 'protocol', 'transport', 'test'].map((folder) => [
      `${folder}/leaf.ts`,
      `${LEAF}export type Leaf = 1;\n`,
    ]),
  ),
};

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

/** Writes the files as a project of their own and gives what `npm run arrows` finds there. */
function violationsIn(files: Readonly<Record<string, string>>): readonly Violation[] {
  const root = mkdtempSync(join(tmpdir(), 'nowconnect-arrows-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    for (const shared of ['node_modules', 'package.json']) symlinkSync(resolve(shared), join(root, shared));
    const folders = [...new Set(Object.keys(files).map((path) => path.split('/')[0]!))].filter(
      (f) => f !== 'test',
    );
    const program = resolve('node_modules/.bin/depcruise');
    const config = resolve('.dependency-cruiser.cjs');
    const { stdout, stderr } = spawnSync(program, ['--config', config, '--output-type', 'json', ...folders], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(stderr).to.equal('');
    return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

describe('the import arrows', function () {
  this.timeout(60_000);

  let found: readonly Violation[] = [];
  before(() => {
    found = violationsIn(
      Object.assign({}, CLEAN, ...PLANTED.map((planted) => planted.files)) as typeof CLEAN,
    );
  });

  it('pass on a tree that keeps them', () => {
    expect(violationsIn(CLEAN)).to.deep.equal([]);
  });

  for (const { rule, files } of PLANTED) {
    const [first] = Object.keys(files);
    it(`${rule} fails on ${Object.keys(files).join(' + ')}`, () => {
      const names = found
        .filter(
          (violation) =>
            violation.from === first || (rule.startsWith('one-') && violation.from.includes('node_modules')),
        )
        .map((violation) => violation.rule.name);
      expect(names).to.include(rule);
    });
  }

  it('complain about no file that was not planted', () => {
    const planted = new Set(PLANTED.flatMap(({ files }) => Object.keys(files)));
    const others = found.filter(({ from }) => !planted.has(from) && !from.includes('node_modules'));
    expect(others).to.deep.equal([]);
  });

  it('have a planted violation for every rule of the configuration', () => {
    const print =
      "console.log(JSON.stringify(require('./.dependency-cruiser.cjs').forbidden.map((rule) => rule.name)))";
    const rules = JSON.parse(execFileSync(process.execPath, ['-e', print], { encoding: 'utf8' })) as string[];
    expect([...new Set(PLANTED.map(({ rule }) => rule))].sort()).to.deep.equal(rules.sort());
  });
});
