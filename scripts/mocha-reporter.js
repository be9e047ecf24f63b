/** Mocha's spec reporter that also appends its counts to the file named by NC_COUNTS, for scripts/check.js to add up. */
import { appendFileSync } from 'node:fs';
import Mocha from 'mocha';

const file = process.env.NC_COUNTS;

export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = runner.stats;
      if (file)
        appendFileSync(file, `${JSON.stringify({ passed: passes, failed: failures, skipped: pending })}\n`);
    });
  }
}
