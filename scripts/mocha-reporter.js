/**
 * Mocha's spec reporter that also tells scripts/check.js what happened: it appends a JSON line to the file named by
 * NC_COUNTS for each failed test, when it fails (a run that is ended early has told by then), and one with the counts.
 */
import { appendFileSync } from 'node:fs';
import Mocha from 'mocha';

const file = process.env.NC_COUNTS;

export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    if (!file) return;
    const append = (entry) => appendFileSync(file, `${JSON.stringify(entry)}\n`);
    runner.on('fail', (test, error) => {
      const [why] = String(error?.message ?? error).split('\n');
      append({ failure: `${test.titlePath().join(' > ')}: ${why}` });
    });
    runner.once('end', () => {
      const { passes, failures, pending } = runner.stats;
      append({ passed: passes, failed: failures, skipped: pending });
    });
  }
}
