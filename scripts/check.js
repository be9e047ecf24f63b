/**
 * Runs every check in one order and adds up what they say.
 *
 *   node scripts/check.js              all steps
 *   node scripts/check.js lint unit    only these, in the order of the table
 *   node scripts/check.js --prove      the long rounds of the tests (NC_PROVE=1), nothing else
 *
 * A mocha step counts its tests, any other step counts as one test. The last line is "N passed, N failed"; the exit code
 * is 0 only when nothing failed. The lines before it name what failed, for whoever sees only the end of a log.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const MINUTE_MS = 60_000;
const COVERAGE = 'coverage/tmp';
/** Failures named at the end: they and the line behind them are what the last 40 lines of a log show. */
const NAMED_FAILURES = 30;
const FAILURE_CHARS = 300;

const mocha = (...files) => ['mocha', '--reporter', './scripts/mocha-reporter.js', ...files];
const suite = (folder) => mocha(`dist/test/${folder}/**/*.test.js`);

/** The system suites that run once more with the daemons on Node 24. */
const NODE24_SUITES = ['auth', 'bytes', 'http', 'lifecycle', 'reload', 'routing', 'token-expiry'];

const STEPS = [
  { name: 'format', command: ['npm', 'run', '--silent', 'format'], minutes: 5 },
  { name: 'lint', command: ['npm', 'run', '--silent', 'lint'], minutes: 15 },
  { name: 'types', command: ['npm', 'run', '--silent', 'types'], minutes: 15, needed: true },
  { name: 'arrows', command: ['npm', 'run', '--silent', 'arrows'], minutes: 5 },
  { name: 'dead', command: ['npm', 'run', '--silent', 'dead'], minutes: 5 },
  { name: 'tooling', command: suite('tooling'), minutes: 10, tests: true },
  { name: 'unit', command: suite('unit'), minutes: 15, tests: true, coverage: true },
  { name: 'model', command: suite('model'), minutes: 15, tests: true, coverage: true, prove: true },
  { name: 'fuzz', command: suite('fuzz'), minutes: 15, tests: true, prove: true },
  {
    name: 'integration',
    command: suite('integration'),
    minutes: 15,
    tests: true,
    coverage: true,
    prove: true,
  },
  { name: 'load', command: ['node', 'scripts/load-modules.js'], minutes: 5, coverage: true },
  { name: 'coverage-protocol', command: ['npm', 'run', '--silent', 'coverage:protocol'], minutes: 5 },
  { name: 'coverage-rest', command: ['npm', 'run', '--silent', 'coverage:rest'], minutes: 5 },
  { name: 'system', command: suite('system'), minutes: 20, tests: true, prove: true },
  { name: 'chaos', command: suite('chaos'), minutes: 20, tests: true, prove: true },
  {
    name: 'node24',
    command: mocha(...NODE24_SUITES.map((name) => `dist/test/system/${name}.test.js`)),
    minutes: 15,
    tests: true,
    env: {
      NC_TEST_NODE: resolve(`test/node24/node_modules/node-${process.platform}-${process.arch}/bin/node`),
    },
  },
];

/** Runs one step to its end or its deadline and ends whatever it left running. Resolves to its exit code. */
function run(step, countsFile, prove) {
  return new Promise((done) => {
    const env = {
      ...process.env,
      FORCE_COLOR: process.stdout.isTTY ? '1' : '0',
      ...step.env,
      NC_COUNTS: countsFile,
    };
    if (step.coverage && !prove) env.NODE_V8_COVERAGE = resolve(COVERAGE);
    if (prove) env.NC_PROVE = '1';
    env.PATH = `${resolve('node_modules/.bin')}:${process.env.PATH}`;
    const [program, ...args] = step.command;
    // A process group of its own: its end takes daemons of a crashed test with it.
    const child = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    const killGroup = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nothing of the group is left.
      }
    };
    const deadline = setTimeout(
      () => {
        console.error(
          `check: step ${step.name} was still running after ${step.minutes} minutes and was ended`,
        );
        killGroup();
      },
      step.minutes * MINUTE_MS * (prove ? 6 : 1),
    );
    const onSignal = (signal) => {
      killGroup();
      process.exit(128 + constants.signals[signal]);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, onSignal);
    child.once('error', (error) => {
      console.error(`check: cannot start ${program}: ${error.message}`);
      clearTimeout(deadline);
      done(1);
    });
    child.once('exit', (code) => {
      clearTimeout(deadline);
      for (const signal of signals) process.off(signal, onSignal);
      killGroup();
      done(code ?? 1);
    });
  });
}

/** The counts of one finished step, and what failed in it. */
function count(step, exitCode, countsFile) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  const fail = (why) => {
    sum.failed += 1;
    failures.push(`step ${step.name}: ${why}`);
  };
  if (!step.tests) {
    if (exitCode === 0) sum.passed = 1;
    else fail(`it ended with exit code ${exitCode}`);
    return { ...sum, failures };
  }
  let complete = false;
  for (const { failure, ...counts } of entriesOf(countsFile)) {
    if (failure !== undefined) failures.push(failure);
    else complete = true;
    for (const [key, value] of Object.entries(counts)) sum[key] += value;
  }
  if (!complete) {
    sum.failed = failures.length;
    fail(`it broke off with exit code ${exitCode}`);
  } else if (exitCode === 0 && sum.passed === 0) fail('no test passed');
  else if (exitCode !== 0 && sum.failed === 0) fail(`it ended with exit code ${exitCode}`);
  return { ...sum, failures };
}

/** What the reporter wrote; nothing when a run ended before it could. */
function entriesOf(countsFile) {
  let text = '';
  try {
    text = readFileSync(countsFile, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const args = process.argv.slice(2);
const prove = args.includes('--prove');
const names = args.filter((arg) => arg !== '--prove');
const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(
    `check: no step ${unknown.join(', ')}; there are ${STEPS.map((step) => step.name).join(' ')}`,
  );
  process.exit(2);
}
const chosen = STEPS.filter((step) =>
  names.length > 0 ? names.includes(step.name) : !prove || step.prove || step.needed,
);
if (chosen.some((step) => step.coverage)) rmSync(COVERAGE, { recursive: true, force: true });

const folder = mkdtempSync(join(tmpdir(), 'nowconnect-check-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const table = [];
const failures = [];
for (const step of chosen) {
  console.log(`\n── ${step.name} ${'─'.repeat(Math.max(0, 60 - step.name.length))}`);
  const countsFile = join(folder, step.name);
  const startedMs = Date.now();
  const exitCode = await run(step, countsFile, prove);
  const counts = count(step, exitCode, countsFile);
  for (const key of Object.keys(total)) total[key] += counts[key];
  failures.push(...counts.failures);
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(0).padStart(4);
  const counted = step.tests ? ` ${counts.passed} passed, ${counts.failed} failed` : '';
  table.push(`${counts.failed > 0 ? 'FAIL' : ' ok '} ${step.name.padEnd(18)}${seconds} s${counted}`);
  if (step.needed && counts.failed > 0) {
    table.push('     the rest was not run: it needs what this step builds');
    break;
  }
}
rmSync(folder, { recursive: true, force: true });

console.log(`\n${table.join('\n')}\n`);
for (const failure of failures.slice(0, NAMED_FAILURES)) {
  // One line each, whatever a title or a message holds.
  console.log(`FAILED ${failure.replace(/\s+/g, ' ')}`.slice(0, FAILURE_CHARS));
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
