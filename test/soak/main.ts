/**
 * `npm run soak -- --minutes N [--seed S]`: the exit code is 1 when a byte was wrong, when a stream ended otherwise than it
 * had to, or when descriptors or streams grew.
 */
import { parseArgs } from 'node:util';
import { soak } from './soak.js';

const USAGE = 'usage: npm run soak -- --minutes N [--seed S]';

/** A number above 0 (or from 0 on), or undefined. */
function numberOf(text: string | undefined, least: number): number | undefined {
  const value = Number(text);
  return text !== undefined && Number.isFinite(value) && value >= least ? value : undefined;
}

function readArgs(): { minutes: number; seed: number | undefined } | undefined {
  try {
    const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } });
    const minutes = numberOf(values.minutes, 0.1);
    const seed = numberOf(values.seed, 0);
    if (minutes === undefined || (values.seed !== undefined && seed === undefined)) return undefined;
    return { minutes, seed };
  } catch {
    return undefined;
  }
}

const args = readArgs();
if (args === undefined) {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = 64;
} else {
  const { problems } = await soak({
    seconds: args.minutes * 60,
    dropEverySec: 30,
    sampleEverySec: 5,
    reportEverySec: 60,
    seed: args.seed,
    print: (line) => process.stdout.write(`${line}\n`),
  });
  process.exit(problems.length > 0 ? 1 : 0);
}
