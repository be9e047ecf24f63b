import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { tempDir } from '../support/temp-dir.js';

interface Outcome {
  readonly code: number | null;
  /** Lines of its stdout, without the empty last one. */
  readonly lines: readonly string[];
}

/** Runs scripts/check.js in a project that has nothing but these test files, and an npm that always fails. */
function check(steps: readonly string[], tests: Readonly<Record<string, string>>): Outcome {
  const project = tempDir('check');
  for (const name of ['scripts', 'node_modules']) symlinkSync(resolve(name), join(project, name));
  mkdirSync(join(project, 'dist/test/tooling'), { recursive: true });
  for (const [name, text] of Object.entries(tests)) {
    writeFileSync(join(project, 'dist/test/tooling', name), text);
  }
  const bin = join(project, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\nexit 3\n');
  chmodSync(join(bin, 'npm'), 0o755);
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const { status, stdout } = spawnSync(process.execPath, ['scripts/check.js', ...steps], {
    cwd: project,
    env,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { code: status, lines: stdout.trimEnd().split('\n') };
}

const failedLines = ({ lines }: Outcome): readonly string[] =>
  lines.filter((line) => line.startsWith('FAILED '));

const suite = (...tests: readonly string[]): string =>
  `describe('a suite', () => {\n${tests.join('\n')}\n});\n`;
const PASSING = `it('holds', () => {});`;

describe('scripts/check.js', function () {
  this.timeout(60_000);

  it('says how many passed on its last line, and ends with 0', () => {
    const outcome = check(['tooling'], { 'a.test.js': suite(PASSING) });
    expect(outcome.lines.at(-1)).to.equal('1 passed, 0 failed');
    expect(outcome.code).to.equal(0);
    expect(failedLines(outcome)).to.have.lengthOf(0);
  });

  it('names each failed test and the first line of its error right before the last line', () => {
    const outcome = check(['tooling'], {
      'a.test.js': suite(PASSING, `it('breaks', () => { throw new Error('first line\\nsecond line'); });`),
      'b.test.js': `describe('outer', () => { describe('inner', () => {
        before(() => { throw new Error('no target'); });
        ${PASSING}
      }); });`,
    });
    expect(outcome.lines.slice(-3)).to.deep.equal([
      'FAILED a suite > breaks: first line',
      'FAILED outer > inner > "before all" hook for "holds": no target',
      '1 passed, 2 failed',
    ]);
    expect(outcome.code).to.equal(1);
  });

  it('names at most 30, in at most 300 characters and one line each', () => {
    const tests = Array.from(
      { length: 35 },
      (_, n) => `it('test ${n}\\nof many', () => { throw new Error('x'.repeat(1000)); });`,
    );
    const outcome = check(['tooling'], { 'a.test.js': suite(...tests) });
    const failed = failedLines(outcome);
    expect(failed).to.have.lengthOf(30);
    expect(outcome.lines.slice(-31, -1)).to.deep.equal(failed);
    expect(new Set(failed.map((line) => line.length))).to.deep.equal(new Set([300]));
    expect(failed[7]).to.match(/^FAILED a suite > test 7 of many: x+$/);
    expect(outcome.lines.at(-1)).to.equal('0 passed, 35 failed');
  });

  it('names the run that broke off, what failed in it before, and a step that is not a test run', () => {
    const outcome = check(['dead', 'tooling'], {
      'a.test.js': suite(
        `it('breaks', () => { throw new Error('no'); });`,
        `it('ends the run', () => { process.reallyExit(9); });`,
      ),
    });
    expect(outcome.lines.slice(-4)).to.deep.equal([
      'FAILED step dead: it ended with exit code 3',
      'FAILED a suite > breaks: no',
      'FAILED step tooling: it broke off with exit code 9',
      '0 passed, 3 failed',
    ]);
    expect(outcome.code).to.equal(1);
  });

  it('takes a run without any test for a failure', () => {
    const outcome = check(['tooling'], { 'a.test.js': '' });
    expect(outcome.lines.slice(-2)).to.deep.equal([
      'FAILED step tooling: no test passed',
      '0 passed, 1 failed',
    ]);
  });
});
